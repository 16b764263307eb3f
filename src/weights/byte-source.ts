/** What a reader needs of a file: a `Blob` has this shape, and so has `bytesAsSource`. Reads never take the whole. */
export interface ByteSource {
  readonly size: number;
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> };
}

/** Bytes in memory as a `ByteSource`. */
export const bytesAsSource = (bytes: Uint8Array): ByteSource => ({
  size: bytes.byteLength,
  slice: (start, end) => ({
    arrayBuffer: async () => new Uint8Array(bytes.subarray(start, end)).buffer,
  }),
});
