import type { Interval } from '../../metrics/intervals';
import type { MethodDescription, OptionSpec, Options } from '../../protocol/engine-api';

/** `0:04`, `1:12:09`. */
export function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const tail = `${String(s).padStart(2, '0')}`;
  return h ? `${h}:${String(m).padStart(2, '0')}:${tail}` : `${m}:${tail}`;
}

/** What a button says of a time behind what it does: `, about 0:04`; nothing of unknown times and below a second. */
export const inAbout = (ms: number | undefined): string =>
  ms !== undefined && ms >= 1000 ? `, about ${formatDuration(ms)}` : '';

/** A length in the unit that reads best: `7.71 nm`, `2.6 µm`, `1.8 mm`. */
export function formatLength(nm: number): string {
  const [value, unit] = nm < 1000 ? [nm, 'nm'] : nm < 1e6 ? [nm / 1000, 'µm'] : [nm / 1e6, 'mm'];
  return `${Number(value.toPrecision(3))} ${unit}`;
}

/** An area in the unit that reads best: `640 nm²`, `0.0215 µm²`, `1.68 mm²`. */
export function formatArea(nm2: number): string {
  const [value, unit] = nm2 < 1e4 ? [nm2, 'nm²'] : nm2 < 1e10 ? [nm2 / 1e6, 'µm²'] : [nm2 / 1e12, 'mm²'];
  return `${Number(value.toPrecision(3))} ${unit}`;
}

/** A figure of merit: three digits, or that there is none. */
export const formatFigure = (value: number | null | undefined): string =>
  value === null || value === undefined ? 'not defined' : value.toFixed(3);

/** A share as `83.3 %`, or that there is none. */
export const formatShare = (value: number | null, digits = 1): string =>
  value === null ? 'not defined' : `${(100 * value).toFixed(digits)} %`;

/** `[65.3, 94.4]` in percent, or that there is none. */
export const formatInterval = (interval: Interval | null): string =>
  interval ? `[${(100 * interval.low).toFixed(1)}, ${(100 * interval.high).toFixed(1)}]` : 'no interval';

const counted = new Intl.NumberFormat('en');
export const formatCount = (value: number): string => counted.format(value);

/** `1 image`, `3 images`. */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`;

/** A value with its unit, where the label doesn't say it, or in the words of its choice: `25 %`, `on`. */
export const formatOption = (spec: OptionSpec, value: Options[string]): string => {
  if (spec.kind === 'number') {
    const said = spec.label.toLowerCase() === spec.unit;
    return `${String(value)}${spec.unit && !said ? ` ${spec.unit}` : ''}`;
  }
  if (spec.kind === 'flag') return value ? 'on' : 'off';
  return spec.choices.find((choice) => choice.value === value)?.label ?? String(value);
};

/** Options of a fit that differ from its method's defaults, as `Kept patches: 25 %`. */
export function changedOptions(
  methods: readonly Pick<MethodDescription, 'id' | 'options'>[],
  { method, options }: { readonly method: string; readonly options: Options },
): readonly string[] {
  const specs = methods.find(({ id }) => id === method)?.options ?? {};
  return Object.entries(specs).flatMap(([name, spec]) =>
    name in options && options[name] !== spec.default
      ? [`${spec.label}: ${formatOption(spec, options[name])}`]
      : [],
  );
}
