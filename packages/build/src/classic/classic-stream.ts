import { StringDecoder } from "node:string_decoder";
import type { ProgressEvent, Vertex } from "../contract.ts";

/** An object of the stream that Docker's classic builder answers with. */
export type ClassicMessage =
  | { readonly stream: string }
  | { readonly aux: { readonly ID: string } }
  | {
      readonly status: string;
      readonly id?: string;
      readonly progressDetail?: { readonly current?: number; readonly total?: number };
    }
  | { readonly errorDetail: { readonly code?: number; readonly message: string }; readonly error: string };

/** Output of a step that waits for its turn; what is more is left out. */
const WAITING_BYTES = 2 << 20;

/** In the place of output that is left out, in BuildKit's words. */
export const CLIPPED = "\n[output clipped, log limit 2MiB reached]\n";

export type WriteMessage = (message: ClassicMessage) => Promise<void> | void;

interface Step {
  readonly vertex: Vertex;
  readonly messages: ClassicMessage[];
  /** Bytes of output among the messages. */
  waiting: number;
  readonly decoders: { readonly stdout: StringDecoder; readonly stderr: StringDecoder };
  container: string | undefined;
  finished: boolean;
  triggers: number;
  /** It was said that there are triggers. */
  told: boolean;
}

/**
 * Tells of a build as Docker's classic builder does: `Step 1/3 : FROM …`, one step after the other. Steps that run at
 * the same time wait for their turn.
 */
export class ClassicStream {
  readonly #write: WriteMessage;
  readonly #byVertex = new Map<string, Step>();
  readonly #steps: Step[] = [];
  readonly #triggers = new Map<string, { readonly step: Step; readonly text: string }>();
  #turn = 0;

  constructor(write: WriteMessage) {
    this.#write = write;
  }

  /** @returns a promise when the reader is behind */
  push(event: ProgressEvent): Promise<void> | void {
    if (event.kind === "vertex") {
      this.#add(event.vertex);
      return;
    }
    const trigger = this.#triggers.get(event.vertex);
    const step = trigger?.step ?? this.#byVertex.get(event.vertex);
    if (step === undefined) return;
    if (trigger !== undefined && event.kind !== "log") {
      this.#trigger(step, trigger.text, event);
      return;
    }
    switch (event.kind) {
      case "started":
        this.#start(step);
        return;
      case "log":
        return this.#log(step, event.stream, event.data);
      case "status": {
        const { id, name, current, total } = event;
        const short = id.replace(/^sha256:/, "").slice(0, 12);
        void this.#say(step, { status: name, id: short, progressDetail: total === 0 ? {} : { current, total } });
        return;
      }
      case "warning":
        this.#text(step, `[Warning] ${event.warning.message}\n`);
        return;
      case "completed":
        this.#complete(step, event.cached, event.imageId);
        return;
      case "failed":
        return;
    }
  }

  #add(vertex: Vertex): void {
    if (vertex.trigger !== undefined) {
      const step = this.#byVertex.get(vertex.trigger);
      if (step === undefined) return;
      this.#triggers.set(vertex.digest, { step, text: vertex.name.replace(/^.* ONBUILD /, "") });
      step.triggers++;
      return;
    }
    if (vertex.step === undefined) return;
    const step: Step = {
      vertex,
      messages: [],
      waiting: 0,
      decoders: { stdout: new StringDecoder(), stderr: new StringDecoder() },
      container: undefined,
      finished: false,
      triggers: 0,
      told: false,
    };
    this.#byVertex.set(vertex.digest, step);
    this.#steps.push(step);
    this.#steps.sort((a, b) => (a.vertex.step?.number ?? 0) - (b.vertex.step?.number ?? 0));
  }

  #start(step: Step): void {
    const { number, total, text } = step.vertex.step ?? { number: 0, total: 0, text: "" };
    this.#text(step, `Step ${number}/${total} : ${text}`);
    this.#text(step, "\n");
  }

  #trigger(step: Step, text: string, event: ProgressEvent): void {
    if (!step.told) this.#text(step, `# Executing ${step.triggers} build trigger${step.triggers === 1 ? "" : "s"}\n`);
    step.told = true;
    if (event.kind !== "completed") return;
    if (event.cached) this.#text(step, " ---> Using cache\n");
    else if (!/^(?:COPY|ADD)\b/i.test(text)) this.#ran(step);
  }

  #ran(step: Step): void {
    this.#runningIn(step);
    this.#text(step, ` ---> Removed intermediate container ${step.container}\n`);
    step.container = undefined;
  }

  #runningIn(step: Step): void {
    if (step.container !== undefined) return;
    step.container = step.vertex.digest.slice(7, 19);
    this.#text(step, ` ---> Running in ${step.container}\n`);
  }

  #log(step: Step, stream: "stdout" | "stderr", data: Buffer): Promise<void> | void {
    this.#runningIn(step);
    // A letter may be cut by the end of a piece.
    const text = step.decoders[stream].write(data);
    if (text === "") return;
    if (this.#steps[this.#turn] !== step) {
      if (step.waiting > WAITING_BYTES) return;
      step.waiting += data.length;
      if (step.waiting > WAITING_BYTES) {
        this.#text(step, CLIPPED);
        return;
      }
    }
    return this.#say(step, { stream: stream === "stderr" ? `\u001b[91m${text}\u001b[0m` : text });
  }

  #complete(step: Step, cached: boolean, imageId: string | undefined): void {
    const { text = "" } = step.vertex.step ?? {};
    if (imageId === undefined) {
      // Before the first stage there is nothing to show.
      step.finished = true;
      this.#advance();
      return;
    }
    const isFrom = /^FROM\b/i.test(text);
    const copies = /^(?:COPY|ADD)\b/i.test(text);
    if (cached && !isFrom) this.#text(step, " ---> Using cache\n");
    else if (!isFrom && !copies) this.#ran(step);
    this.#text(step, ` ---> ${imageId.replace(/^sha256:/, "").slice(0, 12)}\n`);
    step.finished = true;
    this.#advance();
  }

  #text(step: Step, stream: string): void {
    void this.#say(step, { stream });
  }

  #say(step: Step, message: ClassicMessage): Promise<void> | void {
    if (this.#steps[this.#turn] === step) return this.#write(message);
    step.messages.push(message);
  }

  #advance(): void {
    for (let step = this.#steps[this.#turn]; step !== undefined; step = this.#steps[this.#turn]) {
      this.#flush(step);
      if (!step.finished) return;
      this.#turn++;
    }
  }

  #flush(step: Step): void {
    for (const message of step.messages.splice(0)) void this.#write(message);
  }

  /** Writes what waits for its turn: the build has failed, and what went wrong is in it perhaps. */
  end(failedVertex: string | undefined): void {
    const step = failedVertex === undefined ? undefined : this.#byVertex.get(failedVertex);
    if (step !== undefined) this.#flush(step);
  }
}
