import { AppError } from '../base/errors';
import { DETAILED_PROMPTS } from './prompt-presets';

/** The words around every state; each object stands in each template. */
export interface PromptFrame {
  /** Names of what the image shows. */
  readonly objects: readonly string[];
  /** Sentences with `{s}` where the state goes. */
  readonly templates: readonly string[];
}

/** What a class looks like, in words. */
export interface ClassPrompts {
  readonly name: string;
  /** Phrases with `{o}` where the object goes. */
  readonly states: readonly string[];
}

export interface PromptSet extends PromptFrame {
  readonly classes: readonly ClassPrompts[];
}

/**
 * All texts of a class: template(state(object)), in the order state, object, template.
 * @throws text/prompt when a list is empty, or an entry blank or without its placeholder
 * @source methods.md 21.1
 */
export function promptsOf({ name, states }: ClassPrompts, { objects, templates }: PromptFrame): string[] {
  check('state', states, '{o}', ` of class "${name}"`);
  check('object', objects);
  check('template', templates, '{s}');
  // Functions, because `$&` in a user's text would mean something as a replacement.
  return states.flatMap((state) =>
    objects.flatMap((object) => {
      const phrase = state.replaceAll('{o}', () => object);
      return templates.map((template) => template.replaceAll('{s}', () => phrase));
    }),
  );
}

function check(what: string, entries: readonly string[], placeholder = '', whose = ''): void {
  const refuse = (fact: string, hint: string) => new AppError('text/prompt', fact, { hint });
  if (!entries.length) throw refuse(`there is no ${what}${whose}`, 'Write one, or take the defaults.');
  for (const entry of entries) {
    if (!entry.trim()) throw refuse(`one ${what}${whose} is empty`, 'Write something, or remove the line.');
    if (!entry.includes(placeholder))
      throw refuse(
        `the ${what} "${entry}"${whose} has no ${placeholder}`,
        `Write ${placeholder} where the ${placeholder === '{o}' ? 'object' : 'state'} goes.`,
      );
  }
}

/** Where the built-in classes have their name in a phrase; true of a thing, a substance and a damage alike. */
const STATES_BY_NAME = [
  '{o} with {name}',
  '{o} with {article} {name} defect',
  '{o} exhibiting {name}',
  '{o} with visible {name}',
  '{o} damaged by {name}',
  'abnormal {o} with {name}',
];

/** A name as a sentence has it: `Copper_Residue` becomes Copper Residue. */
export const spelledOut = (name: string): string => name.replace(/[\s_]+/g, ' ').trim();

/**
 * States to begin with for a class by its name alone: the built-in ones of a class that has them, else six general
 * phrases around the name.
 * @param name as a user or a folder has it: `Copper_Residue` is copper residue
 * @throws text/prompt when the name is empty
 */
export function defaultStates(name: string): readonly string[] {
  const words = spelledOut(name);
  if (!words) throw new AppError('text/prompt', 'a class without a name', { hint: 'Name the class.' });
  const known = DETAILED_PROMPTS.classes.find((builtIn) => builtIn.name === words.toLowerCase());
  const article = /^[aeiou]/i.test(words) ? 'an' : 'a';
  return (
    known?.states ??
    STATES_BY_NAME.map((state) => state.replace('{article}', article).replace('{name}', () => words))
  );
}
