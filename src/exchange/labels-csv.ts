import { AppError } from '../base/errors';

/** A line of a label file. */
export interface LabelLine {
  readonly name: string;
  readonly className: string;
}

const HEADER = 'image,class';

/**
 * Lines `image,class`, quoted where they hold a comma or a quote; `;` and tabs part them as well. A first line of titles
 * is passed over.
 * @throws exchange/empty, exchange/labels for a line that isn't a name and a class
 * @source RFC 4180
 */
export function parseLabels(text: string, fileName: string): LabelLine[] {
  const lines = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line, index) => ({ line, number: index + 1 }))
    .filter(({ line }) => line.trim());
  if (!lines.length) throw new AppError('exchange/empty', `${fileName} has no lines`);
  const separator = [',', ';', '\t'].find((own) => cells(lines[0].line, own).length === 2) ?? ',';
  const rows = lines.map(({ line, number }) => {
    const [name, className, ...more] = cells(line, separator).map((cell) => cell.trim());
    if (!name || className === undefined || more.length)
      throw new AppError('exchange/labels', `line ${number} of ${fileName} is no image and class: ${line}`, {
        hint: 'Each line holds an image’s file name and its class: particle_03.png,particle',
      });
    return { name, className };
  });
  const titled = /^(image|file|name|filename|path)$/i.test(rows[0].name);
  return titled ? rows.slice(1) : rows;
}

/** The labels as `parseLabels` reads them. */
export const writeLabels = (labels: readonly LabelLine[]): string =>
  [HEADER, ...labels.map(({ name, className }) => `${quoted(name)},${quoted(className)}`), ''].join('\r\n');

const quoted = (text: string): string =>
  /[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

function cells(line: string, separator: string): string[] {
  const found: string[] = [''];
  let inside = false;
  for (let i = 0; i < line.length; i++) {
    const last = found.length - 1;
    if (line[i] === '"') {
      if (inside && line[i + 1] === '"') found[last] += line[i++];
      else inside = !inside;
    } else if (line[i] === separator && !inside) found.push('');
    else found[last] += line[i];
  }
  return found;
}
