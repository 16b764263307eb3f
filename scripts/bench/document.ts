import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const HEAD = `# Bench

Tables made by \`npm run bench -- … --doc NAME\`: each section is written whole by the command that stands in it. Figures of
merit are means over the seeds named; what is not defined is n/d. Times are of the machine they were run on; ratios within
one run are what can be compared. Where a command names a file in \`docs/bench\`, the rows of its single runs stand there, and
\`--resume\` takes up what is still right of them.
`;

/** Puts a section of docs/bench.md in place: replaced when it is there, at the end when it is new. */
export function writeSection(
  file: string,
  name: string,
  command: string,
  table: readonly (readonly string[])[],
): void {
  const [header, ...rows] = table;
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const marker = `<!-- section ${name} -->`;
  const section = [
    marker,
    '',
    `## ${name}`,
    '',
    '```',
    command,
    '```',
    '',
    line(header),
    line(header.map(() => '---')),
    ...rows.map(line),
    '',
  ].join('\n');
  const old = existsSync(file) ? readFileSync(file, 'utf8') : HEAD;
  const start = old.indexOf(marker);
  const next = start < 0 ? -1 : old.indexOf('<!-- section ', start + marker.length);
  const text =
    start < 0
      ? `${old.trimEnd()}\n\n${section}`
      : `${old.slice(0, start)}${section}${next < 0 ? '' : `\n${old.slice(next)}`}`;
  writeFileSync(file, text);
}
