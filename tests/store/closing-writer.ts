/** Writes a setting and hears nothing more: a tab that is closed at that moment. */
import { openDatabase } from '../../src/store/database';
import { SettingsStore } from '../../src/store/settings-store';

const settings = new SettingsStore(await openDatabase());
void settings.put('threshold', 0.5);
postMessage('asked');
for (;;);
