import { isDeepStrictEqual } from "node:util";
import type { JsonObject } from "@boxship/api";
import type { Clock } from "@boxship/base";
import type { Cri } from "@boxship/cri";

/** As upstream: the engine is asked for its images so often, however often the node tells how it is. */
const EVERY_MS = 30_000;
const MOST_IMAGES = 50;
const MOST_NAMES = 5;

/** The images of the node as its status has them, `core/v1.ContainerImage`: the largest first. */
export class NodeImages {
  readonly #cri: Pick<Cri, "listImages">;
  readonly #clock: Clock;
  /** Monotonic. */
  #asked: number | undefined;
  #known: readonly JsonObject[] | undefined;

  constructor(cri: Pick<Cri, "listImages">, clock: Clock) {
    this.#cri = cri;
    this.#clock = clock;
  }

  /** What was found last, the same list as long as it has not changed; undefined while the engine has not answered yet. */
  async list(): Promise<readonly JsonObject[] | undefined> {
    const now = this.#clock.monotonic();
    if (this.#asked !== undefined && now - this.#asked < EVERY_MS) return this.#known;
    const answer = await this.#cri.listImages({}).catch(() => undefined);
    if (answer === undefined) return this.#known;
    this.#asked = now;
    const found = [...answer.images]
      .sort((a, b) => b.size - a.size)
      .slice(0, MOST_IMAGES)
      .map(({ repoDigests, repoTags, size }) => {
        const names = [...repoDigests, ...repoTags].slice(0, MOST_NAMES);
        return { ...(names.length === 0 ? {} : { names }), sizeBytes: size };
      });
    if (!isDeepStrictEqual(found, this.#known)) this.#known = found;
    return this.#known;
  }
}
