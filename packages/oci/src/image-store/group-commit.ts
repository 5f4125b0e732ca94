/** A change: edits the draft, or throws, and then has changed nothing that is kept. */
export type Change<Draft, Result> = (draft: Draft) => Result;

interface Waiting<Draft> {
  readonly apply: (draft: Draft) => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export interface GroupCommitOptions<State, Draft> {
  readonly initial: State;
  readonly draft: (state: State) => Draft;
  readonly seal: (draft: Draft) => State;
  /** Makes a state durable. */
  readonly write: (state: State) => Promise<void>;
}

/**
 * Changes a state that is kept in a file. Changes that arrive while one is being written are written together; the
 * state that readers see is always one that was written.
 */
export class GroupCommit<State, Draft> {
  readonly #options: GroupCommitOptions<State, Draft>;
  readonly #queue: Waiting<Draft>[] = [];
  #state: State;
  #running: Promise<void> | undefined;

  constructor(options: GroupCommitOptions<State, Draft>) {
    this.#options = options;
    this.#state = options.initial;
  }

  get state(): State {
    return this.#state;
  }

  /** Resolves when the change is durable. Rejects with what it threw, or with why the state could not be written. */
  change<Result>(change: Change<Draft, Result>): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      let result: Result;
      this.#queue.push({
        apply: (draft) => {
          result = change(draft);
        },
        resolve: () => resolve(result),
        reject,
      });
      this.#running ??= this.#drain();
    });
  }

  /** Resolves when nothing waits any more. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #drain(): Promise<void> {
    // Lets everybody in who changes something in the same turn of the event loop.
    await Promise.resolve();
    while (this.#queue.length > 0) await this.#commit(this.#queue.splice(0));
    this.#running = undefined;
  }

  async #commit(batch: readonly Waiting<Draft>[]): Promise<void> {
    const { draft, seal, write } = this.#options;
    let next = this.#state;
    const applied: Waiting<Draft>[] = [];
    for (const waiting of batch) {
      const trial = draft(next);
      try {
        waiting.apply(trial);
      } catch (error) {
        waiting.reject(error);
        continue;
      }
      next = seal(trial);
      applied.push(waiting);
    }
    try {
      if (applied.length > 0) await write(next);
    } catch (error) {
      for (const waiting of applied) waiting.reject(error);
      return;
    }
    this.#state = next;
    for (const waiting of applied) waiting.resolve();
  }
}
