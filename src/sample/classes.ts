/** The classes in the order of their indices; index 2 is the normal one. @source methods.md 1.1 */
export const CLASS_NAMES = [
  'bridge',
  'copper residue',
  'good',
  'hole',
  'infilm',
  'particle',
  'scratch',
] as const;

export type ClassName = (typeof CLASS_NAMES)[number];
export type DefectName = Exclude<ClassName, 'good'>;
