import { describe, expect, it } from 'vitest';
import { unescapeHtml } from '../../src/text/unescape-html';

/** Expected values are those of Python's `html.unescape`. */
describe('unescapeHtml', () => {
  it.each([
    ['a named character', '&lt;b&gt; &quot;R&amp;D&quot; &apos;', '<b> "R&D" \''],
    ['the first and the last of Latin-1', '&nbsp;&yuml;', '\u00a0ÿ'],
    ['signs of measure', '5 &micro;m &times; 3 &mu;m &plusmn; &frac12;&deg;', '5 µm × 3 μm ± ½°'],
    ['a name without a semicolon', 'AT&ampT &copy 2024', 'AT&T © 2024'],
    ['the longest name that fits', '&notit; &notin &amplt;', '¬it; ¬in &lt;'],
    ['no name that needs its semicolon without it', '&rsquo &rsquos;', '&rsquo &rsquos;'],
    ['one level', '&amp;amp;lt;', '&amp;lt;'],
    ['decimal and hexadecimal numbers', '&#65;&#x42;&#X43;&#68 &#x1F600;', 'ABCD 😀'],
    ['numbers of Windows-1252', '&#128;&#147;x&#148;&#x99;', '€“x”™'],
    ['numbers of no character', '&#0;&#xd800;&#x110000;&#99999999999;', '\ufffd\ufffd\ufffd\ufffd'],
    ['numbers of control characters', 'a&#1;&#11;&#31;&#127;&#xfdd0;&#x1ffff;&#9;&#13;b', 'a\t\rb'],
    ['nothing else', 'R&D & C#, &; &#; &#x; &;', 'R&D & C#, &; &#; &#x; &;'],
  ])('reads %s', (_, text, expected) => {
    expect(unescapeHtml(text)).toBe(expected);
  });
});
