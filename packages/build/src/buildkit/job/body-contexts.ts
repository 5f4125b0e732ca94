import { DeadlineExceeded } from "@boxship/base";

/** How long either side waits for the other. */
const WAIT_MS = 5000;

interface Offer {
  readonly body: AsyncIterable<Uint8Array>;
  readonly taken: () => void;
}

/** Archives that clients send in one request, to be used by a build that they ask for in another. */
export class BodyContexts {
  readonly #offers = new Map<string, PromiseWithResolvers<Offer>>();

  /** Offers an archive; resolves when it was read to its end, or nobody will. @throws DeadlineExceeded */
  async offer(id: string, body: AsyncIterable<Uint8Array>): Promise<void> {
    const { promise: done, resolve: end } = Promise.withResolvers<void>();
    const { promise: taken, resolve: take } = Promise.withResolvers<void>();
    const whole = async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield* body;
      } finally {
        end();
      }
    };
    this.#slot(id).resolve({ body: whole(), taken: take });
    try {
      await within(taken, `nobody took the archive of build ${id}`);
      await done;
    } finally {
      this.#offers.delete(id);
    }
  }

  /** The archive that was offered, or soon will be. @throws DeadlineExceeded */
  async *take(id: string): AsyncGenerator<Uint8Array> {
    const { body, taken } = await within(this.#slot(id).promise, `the archive of build ${id} did not come`);
    taken();
    yield* body;
  }

  #slot(id: string): PromiseWithResolvers<Offer> {
    const slot = this.#offers.get(id) ?? Promise.withResolvers<Offer>();
    this.#offers.set(id, slot);
    return slot;
  }
}

async function within<Value>(promise: Promise<Value>, words: string): Promise<Value> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new DeadlineExceeded(words)), WAIT_MS);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
