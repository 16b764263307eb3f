/** Connected regions of a mask, numbered 1 … count in scan order; 0 is background. */
export interface Components {
  readonly labels: Int32Array;
  readonly count: number;
}

/**
 * Labels connected regions by union-find over one scan.
 * @param mask [height·width], anything but 0 is foreground
 * @param connectivity 8 joins diagonal neighbours (the rule of AUPRO and of regions), 4 doesn't
 */
export function connectedComponents(
  mask: ArrayLike<number>,
  width: number,
  height: number,
  connectivity: 4 | 8 = 8,
): Components {
  const labels = new Int32Array(width * height);
  const parent = [0];
  const root = (label: number): number => {
    while (parent[label] !== label) label = parent[label] = parent[parent[label]];
    return label;
  };
  const join = (here: number, neighbour: number): void => {
    if (!labels[neighbour]) return;
    const other = root(labels[neighbour]);
    if (!labels[here]) labels[here] = other;
    else {
      const own = root(labels[here]);
      parent[Math.max(own, other)] = Math.min(own, other);
    }
  };
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (!mask[i]) continue;
      if (x > 0) join(i, i - 1);
      if (y > 0) {
        join(i, i - width);
        if (connectivity === 8 && x > 0) join(i, i - width - 1);
        if (connectivity === 8 && x + 1 < width) join(i, i - width + 1);
      }
      if (!labels[i]) {
        labels[i] = parent.length;
        parent.push(parent.length);
      }
    }
  }
  const number = new Int32Array(parent.length);
  let count = 0;
  for (let i = 0; i < labels.length; i++) {
    if (!labels[i]) continue;
    const label = root(labels[i]);
    number[label] ||= ++count;
    labels[i] = number[label];
  }
  return { labels, count };
}
