/** The door of the engine worker: wires the engine to the pixels workers and the store, and wraps results. */
import { expose, transfer, wrap } from 'comlink';
import type { Remote } from 'comlink';
import { identify } from '../src/engine/backbones';
import { BrowserEngine } from '../src/engine/engine-door';
import type { EngineApi, Inspection, InspectionFailure } from '../src/protocol/engine-api';
import { attempt, unwrap } from '../src/protocol/outcome';
import type { PixelsApi } from '../src/protocol/pixels-api';
import { BackboneStore } from '../src/store/backbone-store';
import { openDatabase } from '../src/store/database';
import { EmbeddingStore } from '../src/store/embedding-store';
import { FitStore } from '../src/store/fit-store';
import { holdAliveLock } from './alive';
import { askingCalls, classCalls, costCalls } from './calls';

const database = openDatabase();
const fits = database.then((open) => new FitStore(open));
let lines: Remote<PixelsApi>[] = [];
let turn = 0;
const line = () => lines[turn++ % lines.length];

const browser = new BrowserEngine({
  loadPixels: async ({ blob, name, crop }, spec) => unwrap(await line().load(blob, name, { ...spec, crop })),
  loadMask: async ({ image, mask }, side) => unwrap(await line().mask(mask, image.name, side)),
  droppedWeights: async (id) => new BackboneStore(await database).blob(id),
  embeddings: new EmbeddingStore(database),
  checkpoints: {
    get: async (id, key) => (await fits).checkpoint(id, key),
    put: async (id, key, piece) => void (await (await fits).putCheckpoint(id, key, piece)),
    clear: async (id) => (await fits).clearCheckpoints(id),
  },
  states: {
    get: async (id) => (await fits).state(id),
    put: async (id, state) => void (await (await fits).putState(id, state)),
  },
});

const { engine, asking, classifying } = browser;
const moved = (result: Inspection | InspectionFailure) =>
  'map' in result ? transfer(result, [result.map.buffer as ArrayBuffer]) : result;

const api: EngineApi = {
  connectPixels: (ports) => void (lines = ports.map((port) => wrap<PixelsApi>(port))),
  open: (wish, page) => attempt(() => browser.open(wish, page)),
  recognise: (blob) => attempt(() => identify(blob)),
  describeBackbone: (id) => attempt(() => browser.describeBackbone(id)),
  reconstruct: (request) => attempt(() => engine.reconstruct(request)),
  fit: (request, report) => attempt(() => engine.fit(request, report)),
  inspect: (request, report) => attempt(() => engine.inspect(request, (result) => report(moved(result)))),
  ...costCalls(engine),
  ...askingCalls(asking),
  ...classCalls(classifying),
  cancel: async (jobId) => engine.cancel(jobId),
  forget: async (fitId) => browser.forget(fitId),
};

holdAliveLock();
expose(api);
