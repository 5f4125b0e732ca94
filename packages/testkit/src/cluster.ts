import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { removeClusterRecord } from "@boxship/base/cluster-record";
import { type Boxship, startBoxship } from "./boxship.ts";
import { kubectl, kubernetesProgram } from "./kubectl.ts";
import { kubectlHere } from "./kubectl-here.ts";
import { cliProgram, clusterProgram } from "./program.ts";
import type { Ran, RunOptions } from "./run-program.ts";
import { tempDir } from "./temp-dir.ts";

/** How long kubectl waits for what is to come: until a machine that is five times slower has done it. */
const PATIENCE = process.env["BOXSHIP_TEST_PATIENCE"] ?? "120s";

/** This checkout's own kubectl. */
export const OURS = [...cliProgram(), "kubectl"];

/** A cluster of one node whose pods run on an engine of its own, and its administrator's kubectl. */
export class Cluster implements AsyncDisposable {
  readonly engine: Boxship;
  /** A directory of the test's own. */
  readonly home: string;
  /** The addresses of its services: `10.x.y`, without the last part. Clusters of one machine must not have the same. */
  readonly services = `10.${randomInt(100, 250)}.${16 * randomInt(16)}`;
  readonly #flags: readonly string[];
  readonly #owned: AsyncDisposableStack;
  #child: ChildProcess | undefined;
  #kubeconfig = "";

  constructor(engine: Boxship, home: string, flags: readonly string[], owned: AsyncDisposableStack) {
    this.engine = engine;
    this.home = home;
    this.#flags = flags;
    this.#owned = owned;
  }

  get kubeconfig(): string {
    return this.#kubeconfig;
  }

  /** Where the agent of its node keeps what pods have. */
  get nodeDirectory(): string {
    return `${this.engine.root}/cluster/node`;
  }

  /**
   * Starts its process; what an earlier one left is gone on with.
   *
   * @param hostName what the machine is called @default its name
   * @param isReady whether its node is waited for
   * @param more flags, this time
   */
  async start(hostName?: string, isReady = true, more: readonly string[] = [], env?: NodeJS.ProcessEnv): Promise<void> {
    const { name, root, runDir } = this.engine;
    const named = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', hostName ?? ""] as const;
    const [file, ...args] = hostName === undefined ? clusterProgram() : [...named, ...clusterProgram()];
    const cri = ["--container-runtime-endpoint", `${runDir}/cri.sock`];
    const services = this.#flags.includes("--service-cidr") ? [] : ["--service-cidr", `${this.services}.0/20`];
    const own = ["--name", name, "--root", root, "--run-dir", `${this.home}/run`, "--port", "0"];
    const flags = [...own, ...cri, ...services];
    const child = spawn(file, [...args, ...flags, ...this.#flags, ...more], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      env: { ...process.env, ...env },
    });
    this.#child = child;
    const ended = once(child, "exit").then(([status]) => assert.fail(`the cluster ended with ${status} at its start`));
    const [ready] = (await Promise.race([once(child, "message"), ended])) as [{ failed?: string; kubeconfig: string }];
    assert.equal(ready.failed, undefined);
    this.#kubeconfig = ready.kubeconfig;
    if (isReady) await this.kube("wait", "node", "--all", "--for=condition=Ready", `--timeout=${PATIENCE}`);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    child.kill(signal);
    await once(child, "exit");
  }

  /** Kills it and its engine, and starts both again. */
  async crash(): Promise<void> {
    await this.end("SIGKILL");
    await this.engine.crash();
    // The engine would start a cluster that is meant to be up itself, and not as the test's child.
    await removeClusterRecord(`${this.engine.root}/cluster`);
    await this.engine.start();
    await this.start();
  }

  readonly tried = async (args: readonly string[], options: RunOptions = {}): Promise<Ran> => {
    const run = kubectl(this.#kubeconfig, this.home);
    assert.ok(run !== undefined);
    return await run(args, options);
  };

  /** The same in this checkout's own kubectl. */
  readonly ours = async (args: readonly string[], { input, env }: RunOptions = {}): Promise<Ran> =>
    await kubectlHere(args, { kubeconfig: this.#kubeconfig, home: this.home, input, env });

  get #environment() {
    return { KUBECONFIG: this.#kubeconfig, HOME: this.home };
  }

  /** What kubectl says; rejects with its words when it fails. */
  readonly kube = async (...args: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await this.tried(args);
    assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
    return stdout;
  };

  /** Objects in YAML. */
  readonly apply = async (objects: string): Promise<void> => {
    const { status, stderr } = await this.tried(["apply", "-f", "-"], { input: objects });
    assert.equal(status, 0, stderr);
  };

  /** A field of an object, by a JSON path in braces. */
  readonly field = (object: string, path: string): Promise<string> =>
    this.kube("get", object, "-o", `jsonpath=${path}`);

  /** Waits until a field of an object has a value. */
  readonly until = (object: string, path: string, value: string): Promise<string> =>
    this.kube("wait", object, `--for=jsonpath=${path}=${value}`, `--timeout=${PATIENCE}`);

  /** What is told of an object, as kubectl shows it. */
  readonly events = (name: string): Promise<string> =>
    this.kube("get", "events", `--field-selector=involvedObject.name=${name}`);

  /** Waits until something is told of an object. @returns all that was told */
  readonly told = async (name: string, words: RegExp): Promise<string> => {
    const deadline = performance.now() + Number.parseInt(PATIENCE, 10) * 1000;
    for (;;) {
      const events = await this.events(name);
      if (words.test(events)) return events;
      assert.ok(performance.now() < deadline, `${words} is not told of ${name}:\n${events}`);
    }
  };

  /** Forwards a port of a pod to a free one here, until it is disposed. @param program by which kubectl @default the real one */
  async forward(
    object: string,
    port: number,
    env: NodeJS.ProcessEnv = {},
    program: readonly string[] = [kubernetesProgram("kubectl") ?? ""],
  ) {
    const [file = "", ...words] = program;
    const child = spawn(file, [...words, "port-forward", object, `:${port}`], {
      env: { ...process.env, ...this.#environment, ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const failed = once(child, "exit").then(([code]) => assert.fail(`${file} port-forward ended with ${code}`));
    const [line] = (await Promise.race([once(child.stdout, "data"), failed])) as [Buffer];
    failed.catch(() => {});
    return {
      port: Number(/127\.0\.0\.1:(\d+)/.exec(line.toString())?.[1]),
      async [Symbol.asyncDispose]() {
        child.kill();
        await once(child, "exit");
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.end("SIGTERM");
    } finally {
      await this.#owned.disposeAsync();
    }
  }
}

export interface StartClusterOptions {
  /** Of `boxship up`. */
  readonly flags?: readonly string[];
  /** Whether its node is waited for. @default true */
  readonly ready?: boolean;
  /** Of its engine, beside this process's. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Starts one whose node is ready, with the image `busybox:latest`. */
export async function startCluster({ flags = [], ready = true, env = {} }: StartClusterOptions = {}): Promise<Cluster> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(tempDir());
  const engine = stack.use(await startBoxship({ env }));
  await engine.client.call("POST", "/boxship/images/bootstrap?kind=busybox");
  const cluster = new Cluster(engine, directory.path, flags, stack.move());
  try {
    await cluster.start(undefined, ready);
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}
