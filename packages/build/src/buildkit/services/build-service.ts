import { asBoxshipError } from "@boxship/base";
import type { ClassicBuild } from "../../classic/classic-request.ts";
import type { BodyContexts } from "../job/body-contexts.ts";
import { StatusResponse } from "../wire/control.ts";
import { readBuildkitBuild } from "./build-request.ts";
import { type ControlOptions, solve } from "./control-service.ts";

/** `POST /build` of clients that bring BuildKit's session, but let the engine drive the build: Docker before 23. */
/** A promise when the client is behind. */
type WriteAnswer = (message: unknown) => Promise<void> | void;

export class BuildService {
  readonly #options: ControlOptions;
  readonly #bodies: BodyContexts;
  readonly #running = new Map<string, AbortController>();

  constructor(options: ControlOptions, bodies: BodyContexts) {
    this.#options = options;
    this.#bodies = bodies;
  }

  /** Ends the build of that id; none is no error. */
  cancel(buildId: string): void {
    this.#running.get(buildId)?.abort(new DOMException("the build was cancelled", "AbortError"));
  }

  /** Builds, and tells of it message by message. Throws only before the first message. */
  async build(build: ClassicBuild, write: WriteAnswer, signal: AbortSignal): Promise<void> {
    const { buildId, upload, request } = readBuildkitBuild(build.query);
    if (upload && buildId !== undefined) {
      await this.#bodies.offer(buildId, build.body);
      return;
    }
    const controller = new AbortController();
    const either = AbortSignal.any([signal, controller.signal]);
    if (buildId !== undefined) this.#running.set(buildId, controller);
    if (!build.query.has("remote") || build.query.get("remote") === "")
      this.#bodies.offer(buildId ?? request.ref, build.body).catch(() => {});
    try {
      const solving = solve(this.#options, request, either);
      const telling = this.#tell(request.ref, write, either);
      const { exporterResponse } = await solving;
      await telling;
      const id = exporterResponse["containerimage.config.digest"];
      if (id !== undefined) {
        void write({ id: "moby.image.id", aux: { ID: id } });
        if (/^(?:1|t|true)$/i.test(build.query.get("q") ?? "")) void write({ stream: `${id}\n` });
      }
    } catch (error) {
      if (signal.aborted) throw error;
      const { message } = asBoxshipError(error);
      void write({ errorDetail: { message }, error: message });
    } finally {
      if (buildId !== undefined) this.#running.delete(buildId);
    }
  }

  async #tell(ref: string, write: WriteAnswer, signal: AbortSignal): Promise<void> {
    const job = this.#options.jobs.find(ref);
    if (job === undefined) return;
    try {
      for await (const status of job.status.read(signal))
        await write({ id: "moby.buildkit.trace", aux: Buffer.from(StatusResponse.encode(status)).toString("base64") });
    } catch {
      // The build says by itself why it ended.
    }
  }
}
