/** Hands a file to the browser's downloads. */
export function download(parts: readonly BlobPart[], name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([...parts], { type }));
  Object.assign(document.createElement('a'), { href: url, download: name }).click();
  // The browser reads it after the click has returned.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** A part of a file name: what file systems refuse becomes a hyphen. */
export const fileNamePart = (text: string): string => text.replace(/[^\p{L}\p{N}._-]+/gu, '-');
