/** The names of U+00A0 to U+00FF, in that order. */
const LATIN_1 =
  'nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr ' +
  'deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest ' +
  'Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ' +
  'ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig ' +
  'agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml ' +
  'eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml';

/**
 * The 106 names that HTML reads with and without a semicolon, and of its 2,125 others (mathematics, scripts) those that
 * text copied from a page may hold and the two Greek units: the full table would be larger than the rest of this floor.
 */
const NAMES: ReadonlyMap<string, string> = new Map([
  ...LATIN_1.split(' ').map((name, i): [string, string] => [name, String.fromCharCode(0xa0 + i)]),
  ...Object.entries({ amp: '&', lt: '<', gt: '>', quot: '"', AMP: '&', LT: '<', GT: '>', QUOT: '"' }),
  ...Object.entries({ COPY: '©', REG: '®', 'trade;': '™', 'euro;': '€', 'mu;': 'μ', 'Omega;': 'Ω' }),
  ...Object.entries({ 'lsquo;': '‘', 'rsquo;': '’', 'ldquo;': '“', 'rdquo;': '”', 'apos;': "'" }),
  ...Object.entries({ 'ndash;': '–', 'mdash;': '—', 'hellip;': '…', 'bull;': '•' }),
]);

/** Numbers 128 to 159 mean Windows-1252. */
const WINDOWS_1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

const REFERENCE = /&(?:#(\d+);?|#x([\da-f]+);?|([^\t\n\f <&#;]{1,32};?))/giu;

/**
 * Character references as characters, as Python's `html.unescape` does it but for the rarest names.
 * @source HTML, 13.2.5.72 to 13.2.5.80
 */
export const unescapeHtml = (text: string): string =>
  text.replace(REFERENCE, (_, decimal?: string, hex?: string, name?: string) => {
    if (decimal) return numbered(parseInt(decimal, 10));
    return hex ? numbered(parseInt(hex, 16)) : named(name ?? '');
  });

function numbered(code: number): string {
  if (code >= 0x80 && code <= 0x9f) return WINDOWS_1252[code - 0x80];
  if (code === 0 || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) return '\ufffd';
  // Control characters and what Unicode calls no character.
  if (code < 9 || code === 0xb || (code > 0xd && code < 0x20) || code === 0x7f) return '';
  if ((code >= 0xfdd0 && code <= 0xfdef) || (code & 0xfffe) === 0xfffe) return '';
  return String.fromCodePoint(code);
}

/** @param name with its semicolon, if it has one */
function named(name: string): string {
  for (let end = name.length; end > 1; end--) {
    const character = NAMES.get(name.slice(0, end));
    // The semicolon belongs to a name that fills all before it.
    if (character) return character + (name.slice(end) === ';' ? '' : name.slice(end));
  }
  return `&${name}`;
}
