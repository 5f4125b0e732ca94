import type { Clock } from "@boxship/base";

/** How long a result may wait for the builds that use it. */
const KEEP_MS = 10 * 60_000;

/**
 * Results that other builds of the same client use, as images without a name. They outlive the build that made them for
 * a while, as clients do not wait for those that use them; then what has no name is removed.
 */
export class LinkedImages implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #remove: (imageId: string) => Promise<void>;
  readonly #images = new Map<string, Promise<string>>();
  readonly #timers = new Map<string, Disposable>();

  /** @param remove removes an image that has no name and is not in use, and leaves all others alone */
  constructor(clock: Clock, remove: (imageId: string) => Promise<void>) {
    this.#clock = clock;
    this.#remove = remove;
  }

  /** The image of a run; undefined when none was made. */
  find(run: string): Promise<string> | undefined {
    return this.#images.get(run);
  }

  /** The image of a run, made once. */
  get(run: string, make: () => Promise<string>): Promise<string> {
    const known = this.#images.get(run);
    if (known !== undefined) return known;
    const made = make();
    this.#images.set(run, made);
    made.then(
      () =>
        this.#timers.set(
          run,
          this.#clock.setTimeout(KEEP_MS, () => void this.#forget(run)),
        ),
      () => this.#images.delete(run),
    );
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#timers.keys()].map((run) => this.#forget(run)));
  }

  async #forget(run: string): Promise<void> {
    const image = this.#images.get(run);
    this.#timers.get(run)?.[Symbol.dispose]();
    this.#timers.delete(run);
    this.#images.delete(run);
    // One that is in use now, or has a name, stays.
    if (image !== undefined) await this.#remove(await image).catch(() => {});
  }
}
