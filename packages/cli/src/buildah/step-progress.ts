import type { BuildEvent, BuildProgress, BuildVertex } from "../build/progress.ts";
import type { Context } from "../context.ts";

interface Step {
  readonly stage: Stage;
  readonly number: number;
  readonly text: string;
}

/** Stages are built at the same time, and told of one after the other. */
interface Stage {
  readonly name: string;
  steps: number;
  open: number;
  /** What waits until the stages before it are through. */
  readonly waiting: (() => void)[];
}

/** A build's progress in buildah's words. */
export interface StepProgress extends BuildProgress {
  /** What stands before lines about the last stage. */
  prefix(): string;
}

/**
 * A build as buildah tells of it: `STEP 1/3: FROM busybox` and the output of commands, each stream on its own. With
 * several stages `[1/2]` stands before it.
 *
 * @param quiet only the output of commands
 */
export function stepProgress(output: Pick<Context, "stdout" | "stderr">, quiet: boolean): StepProgress {
  return new StagedProgress(output, quiet);
}

class StagedProgress implements StepProgress {
  readonly #output: Pick<Context, "stdout" | "stderr">;
  readonly #quiet: boolean;
  readonly #stages: Stage[] = [];
  readonly #steps = new Map<string, Step>();
  #current = 0;

  constructor(output: Pick<Context, "stdout" | "stderr">, quiet: boolean) {
    this.#output = output;
    this.#quiet = quiet;
  }

  push(event: BuildEvent): void {
    if (typeof event.vertex !== "string") {
      this.#announce(event.vertex);
      return;
    }
    const step = this.#steps.get(event.vertex);
    if (step === undefined) return;
    step.stage.waiting.push(() => this.#show(step, event));
    this.#flush();
  }

  end(): void {
    // After a failure nothing is held back.
    for (; this.#current < this.#stages.length; this.#current++) this.#empty(this.#current);
  }

  prefix(): string {
    return this.#prefixOf(this.#stages.length - 1);
  }

  #prefixOf(stage: number): string {
    return this.#stages.length > 1 ? `[${stage + 1}/${this.#stages.length}] ` : "";
  }

  #announce({ digest, step }: BuildVertex): void {
    if (step === undefined || this.#steps.has(digest)) return;
    let stage = this.#stages.find(({ name }) => name === step.stage);
    if (stage === undefined) this.#stages.push((stage = { name: step.stage, steps: 0, open: 0, waiting: [] }));
    stage.open++;
    this.#steps.set(digest, { stage, number: ++stage.steps, text: step.text });
  }

  #flush(): void {
    for (; this.#current < this.#stages.length; this.#current++) {
      this.#empty(this.#current);
      if ((this.#stages[this.#current]?.open ?? 0) > 0) return;
    }
  }

  #empty(stage: number): void {
    for (const show of this.#stages[stage]?.waiting.splice(0) ?? []) show();
  }

  #show({ stage, number, text }: Step, event: BuildEvent): void {
    const { stdout, stderr } = this.#output;
    if (event.kind === "log") {
      (event.stream === "stderr" ? stderr : stdout).write(Buffer.from(event.data ?? "", "base64"));
      return;
    }
    if (event.kind === "completed") stage.open--;
    if (this.#quiet) return;
    if (event.kind === "started") {
      stdout.write(`${this.#prefixOf(this.#stages.indexOf(stage))}STEP ${number}/${stage.steps}: ${text}\n`);
    }
    if (event.kind === "completed" && event.cached === true && number > 1) {
      const id = (event.imageId ?? "").replace(/^sha256:/, "");
      stdout.write(id === "" ? "--> Using cache\n" : `--> Using cache ${id}\n--> ${id.slice(0, 11)}\n`);
    }
  }
}
