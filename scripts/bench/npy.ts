/** A float32 array as a NumPy file. @source numpy.lib.format, version 1.0 */
export function encodeNpy(values: Float32Array, shape: readonly number[]): Uint8Array {
  const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;
  const preamble = 10;
  const padding = (64 - ((preamble + dict.length + 1) % 64)) % 64;
  const header = new TextEncoder().encode(`${dict}${' '.repeat(padding)}\n`);
  const out = new Uint8Array(preamble + header.length + values.byteLength);
  out.set([0x93, ...new TextEncoder().encode('NUMPY'), 1, 0, header.length & 0xff, header.length >> 8]);
  out.set(header, preamble);
  out.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), preamble + header.length);
  return out;
}
