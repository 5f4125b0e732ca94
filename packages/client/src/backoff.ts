export interface BackoffOptions {
  /** Milliseconds before the first try again. */
  readonly base: number;
  readonly most: number;
  /** Each wait is longer by up to this part of it, at random. @default 0 */
  readonly jitter?: number;
  /** @default Math.random */
  readonly random?: () => number;
}

/** Waits that double from failure to failure. */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Milliseconds to wait before the next try. */
  next(): number {
    const { base, most, jitter = 0, random = Math.random } = this.#options;
    const wait = Math.min(base * 2 ** Math.min(this.#failures++, 50), most);
    return wait * (1 + jitter * random());
  }

  reset(): void {
    this.#failures = 0;
  }
}
