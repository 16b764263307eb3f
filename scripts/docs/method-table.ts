import { describeClassifiers, describeMethods } from '../../src/engine/describe';
import type { About, Citation } from '../../src/protocol/engine-api';

interface Described {
  readonly title: string;
  readonly about: About;
  readonly source: Citation;
}

/** Parts of the README that are drawn from descriptions, by their names. */
const TABLES: Readonly<Record<string, () => readonly Described[]>> = {
  methods: describeMethods,
  classifiers: describeClassifiers,
};

function tableOf(described: readonly Described[]): string {
  const rows = described.map(
    ({ title, about, source }) =>
      `| ${title} | ${about.summary} | ${source.authors}: *${source.title}*, ${source.where} |`,
  );
  return ['| method | what it does | source |', '|---|---|---|', ...rows].join('\n');
}

/** A README with its tables replaced. */
export function withMethodTables(readme: string): string {
  let text = readme;
  for (const [name, describe] of Object.entries(TABLES)) {
    const [head, foot] = [`<!-- ${name}: written by npm run make:docs -->`, `<!-- end of ${name} -->`];
    const [start, end] = [text.indexOf(head), text.indexOf(foot)];
    if (start < 0 || end < start) throw new Error(`README.md lacks the lines ${head} and ${foot}`);
    text = `${text.slice(0, start)}${head}\n\n${tableOf(describe())}\n\n${text.slice(end)}`;
  }
  return text;
}
