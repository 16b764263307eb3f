/** Prompt sets cross the worker boundary as they are; what makes and checks them is plain text, of use on both sides. */
export { DETAILED_PROMPTS } from '../text/prompt-presets';
export { defaultStates, promptsOf, spelledOut } from '../text/prompts';
export type { ClassPrompts, PromptFrame, PromptSet } from '../text/prompts';
