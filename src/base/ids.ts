declare const brand: unique symbol;
/** A string or number that the compiler won't mix up with another of the same kind. */
export type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** SHA-256 of an image file's bytes, 64 lower-case hexadecimal digits. */
export type ImageId = Branded<string, 'ImageId'>;
/** SHA-256 of a weights file's bytes, or `builtin:<name>` for what ships with the app. */
export type BackboneId = Branded<string, 'BackboneId'>;
export type FitId = Branded<string, 'FitId'>;
export type JobId = Branded<string, 'JobId'>;

/** Lower-case hexadecimal of some bytes. */
export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
