import { isCancelled, toAppError } from '../../base/errors';

/** An answer that a notice offers. */
export interface Choice {
  readonly title: string;
  readonly choose: () => void;
}

/** Something the user should know, or say. */
export interface Notice {
  readonly id: number;
  readonly tone: 'fact' | 'wrong' | 'question';
  readonly text: string;
  readonly hint: string;
  /** Longer lists, folded: files and their reasons. */
  readonly details: readonly { readonly name: string; readonly reason: string }[];
  /** Answers, or a way back. */
  readonly choices: readonly Choice[];
}

interface Extra extends Partial<Pick<Notice, 'hint' | 'details'>> {
  readonly undo?: () => void;
}

/** A plain fact goes by itself after this long; problems and lists stay until they are closed. */
const FACT_MS = 8000;
const MOST = 5;

let count = 0;

export class Notices {
  list = $state.raw<readonly Notice[]>([]);

  say(text: string, { undo, ...extra }: Extra = {}): void {
    this.#add('fact', text, { choices: undo && [{ title: 'Undo', choose: undo }], ...extra });
  }

  /** Stays until it is answered or closed. */
  ask(text: string, choices: readonly Choice[], extra: Pick<Extra, 'hint'> = {}): Notice {
    return this.#add('question', text, { choices, ...extra });
  }

  /** Shows a failure with its remedy; a cancellation is none. @param about a file's name, put in front */
  fail(error: unknown, about = ''): void {
    if (isCancelled(error)) return;
    const { message, hint } = toAppError(error);
    this.#add('wrong', about ? `${about}: ${message}` : message, { hint });
  }

  close(notice: Notice): void {
    this.list = this.list.filter((other) => other !== notice);
  }

  #add(
    tone: Notice['tone'],
    text: string,
    { hint = '', details = [], choices = [] }: Partial<Notice>,
  ): Notice {
    // The same thing said twice is one notice.
    const others = this.list.filter((notice) => notice.text !== text);
    const notice: Notice = { id: count++, tone, text, hint, details, choices };
    this.list = [...others, notice].slice(-MOST);
    if (tone === 'fact' && !details.length) setTimeout(() => this.close(notice), FACT_MS);
    return notice;
  }
}
