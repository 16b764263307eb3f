import { isCancelled, toAppError } from '../../base/errors';

/** Something the user should know. */
export interface Notice {
  readonly id: number;
  readonly tone: 'fact' | 'wrong';
  readonly text: string;
  readonly hint: string;
  /** Longer lists, folded: files and their reasons. */
  readonly details: readonly { readonly name: string; readonly reason: string }[];
  /** A way back. */
  readonly undo: (() => void) | undefined;
}

type Extra = Partial<Pick<Notice, 'hint' | 'details' | 'undo'>>;

/** A plain fact goes by itself after this long; problems and lists stay until they are closed. */
const FACT_MS = 8000;
const MOST = 5;

let count = 0;

export class Notices {
  list = $state.raw<readonly Notice[]>([]);

  say(text: string, extra: Extra = {}): void {
    this.#add('fact', text, extra);
  }

  /** Shows a failure with its remedy; a cancellation is none. */
  fail(error: unknown, extra: Extra = {}): void {
    if (isCancelled(error)) return;
    const { message, hint } = toAppError(error);
    this.#add('wrong', message, { hint, ...extra });
  }

  close(notice: Notice): void {
    this.list = this.list.filter((other) => other !== notice);
  }

  #add(tone: Notice['tone'], text: string, { hint = '', details = [], undo }: Extra): void {
    // The same thing said twice is one notice.
    const others = this.list.filter((notice) => notice.text !== text);
    const notice: Notice = { id: count++, tone, text, hint, details, undo };
    this.list = [...others, notice].slice(-MOST);
    if (tone === 'fact' && !details.length) setTimeout(() => this.close(notice), FACT_MS);
  }
}
