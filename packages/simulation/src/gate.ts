import type { KubeObject } from "@boxship/api";
import { Unavailable } from "@boxship/base";
import type { ControllerClient } from "@boxship/controllers";

/** Between the controllers and the server: where writes fail, and where controllers end in the middle of one. */
export class Gate {
  readonly #told: (line: string) => number;
  readonly #retold: (at: number, line: string) => void;
  #failures = 0;
  #endsAtWrite = false;
  #hasEnded = false;

  /** @param told writes a line, and says which it is; @param retold writes it anew */
  constructor(told: (line: string) => number, retold: (at: number, line: string) => void) {
    this.#told = told;
    this.#retold = retold;
  }

  failWrites(count: number): void {
    this.#failures += count;
  }

  endAtNextWrite(): void {
    this.#endsAtWrite = true;
  }

  /** Who asked through it is gone, and starts anew. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  async #write<T>(who: string, what: string, act: () => Promise<T>, nameOf: (result: T) => string): Promise<T> {
    if (this.#hasEnded) throw new Unavailable("the controllers have ended");
    const at = this.#told(`${who}: ${what}`);
    const fails = this.#failures > 0;
    if (fails && this.#failures-- % 2 === 1) {
      this.#retold(at, `${who}: ${what} fails`);
      throw new Unavailable("the store does not answer");
    }
    const result = await act();
    this.#retold(at, `${who}: ${what}${nameOf(result)}`);
    if (this.#endsAtWrite) {
      this.#hasEnded = true;
      throw new Unavailable("the controllers have ended");
    }
    if (fails) {
      this.#retold(at, `${who}: ${what}${nameOf(result)}, and nobody hears of it`);
      throw new Unavailable("the answer was lost");
    }
    return result;
  }

  /** A controller's client, seen through the gate. */
  client(who: string, client: ControllerClient): ControllerClient {
    const asked = <T>(act: () => Promise<T>): Promise<T> =>
      this.#hasEnded ? Promise.reject(new Unavailable("the controllers have ended")) : act();
    const none = (): string => "";
    return {
      get: (ref, options) => asked(() => client.get(ref, options)),
      getRaw: (path, options) => asked(() => client.getRaw(path, options)),
      list: (collection, options) => asked(() => client.list(collection, options)),
      create: <T extends KubeObject>(
        collection: Parameters<ControllerClient["create"]>[0],
        object: T,
        options?: Parameters<ControllerClient["create"]>[2],
      ) =>
        this.#write<T>(
          who,
          `create ${collection.resource} `,
          () => client.create(collection, object, options),
          ({ metadata }) => metadata.name ?? "",
        ),
      update: (ref, object, options) =>
        this.#write(
          who,
          `${options?.subresource ?? "update"} ${ref.resource} ${ref.name}`,
          () => client.update(ref, object, options),
          none,
        ),
      patch: (ref, type, patch, options) =>
        this.#write(
          who,
          `${options?.subresource ?? "patch"} ${ref.resource} ${ref.name}`,
          () => client.patch(ref, type, patch, options),
          none,
        ),
      delete: (ref, options) =>
        this.#write(who, `delete ${ref.resource} ${ref.name}`, () => client.delete(ref, options), none),
    };
  }
}
