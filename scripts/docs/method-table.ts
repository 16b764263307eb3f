import { describeMethods } from '../../src/engine/describe';

const START = '<!-- methods: written by npm run make:docs -->';
const END = '<!-- end of methods -->';

/** The table of methods out of their own descriptions. */
export function methodTable(): string {
  const rows = describeMethods().map(
    ({ title, about, source }) =>
      `| ${title} | ${about.summary} | ${source.authors}: *${source.title}*, ${source.where} |`,
  );
  return ['| method | what it does | source |', '|---|---|---|', ...rows].join('\n');
}

/** A README with its table replaced. */
export function withMethodTable(readme: string): string {
  const [start, end] = [readme.indexOf(START), readme.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`README.md lacks the lines ${START} and ${END}`);
  return `${readme.slice(0, start)}${START}\n\n${methodTable()}\n\n${readme.slice(end)}`;
}
