import { rm } from "node:fs/promises";
import { asBoxshipError, NotFound, type Timer, Unsupported } from "@boxship/base";
import { Backoff } from "@boxship/client";
import { ContainerState, type ContainerStatus, type PodSandboxStatus, SandboxState } from "@boxship/cri";
import { networkProblem } from "../agent/engine-health.ts";
import { type NodeContext, PODS } from "../agent/node-context.ts";
import { startContainer, type Waiting } from "../containers/start-container.ts";
import { running, stopAll, stopOne } from "../containers/stop-containers.ts";
import { ContainerProbes } from "../probes/prober.ts";
import { lastWords } from "../status/last-words.ts";
import { containerUri, podAddresses, podStatus } from "../status/pod-status.ts";
import { statusPatch } from "../status/status-patch.ts";
import { type ContainerSpec, everyContainer, fieldPathOf, isOver, type Pod, type PodStatus } from "../types.ts";
import type { PreparedVolume } from "../volumes/volumes.ts";
import { ContainerLogs, removeLog } from "./container-logs.ts";
import { type ObservedPod, observe } from "./observed.ts";
import { cgroupOf, logDirectory, podConfig } from "./pod-config.ts";
import { limitPod, removePodGroup } from "./pod-group.ts";
import { type PodPlan, planPod, type StartPlan } from "./pod-plan.ts";
import { type ResizeState, resizePod } from "./resize-pod.ts";
import { RestartBackoff } from "./restart-backoff.ts";
import {
  asksForRecursiveMounts,
  makesRecursiveReadOnly,
  runtimeFeatures,
  runtimeHandlerOf,
} from "./runtime-handler.ts";
import type { PodUsers } from "./user-ranges.ts";

/** How long a pod may go without a look although nothing was heard: for tokens and what a stream has lost. */
const RESYNC_MS = 60_000;
/** What the CRI of our engine calls it. */
const OWN_ENGINE = "boxship";
/** Why containers wait that were made. */
const BEGUN = ["RunContainerError", "PostStartHookError"];

/**
 * Looks after one pod: looks at what it should be and what there is, does what is missing, says how it is, and again whenever
 * something changes. What it knows beyond the API and the engine may be lost at any time.
 *
 *     running ──deleted, deadline──▶ ending ──▶ gone
 */
export class PodWorker {
  readonly uid: string;
  readonly #context: NodeContext;
  readonly #restarts: RestartBackoff;
  readonly #failures = new Backoff({ base: 1000, most: 60_000 });
  /** Of what is told of the pod and tried again. */
  readonly #retries = new Backoff({ base: 1000, most: 15_000 });
  /** Something is to be tried again after this look. */
  #retried = false;
  readonly #waiting = new Map<string, Waiting>();
  readonly #probes = new Map<string, ContainerProbes>();
  readonly #logs: ContainerLogs;
  readonly #sizes = new Map<string, string>();
  #resize: ResizeState | undefined;
  /** Whether its runtime makes all read-only that is below a mount; undefined until that is known. */
  #recursive: boolean | undefined;
  readonly #words = new Map<string, string>();
  readonly #hurry = new AbortController();
  /** Nothing comes after it. */
  readonly finished: Promise<void>;
  #pod: Pod;
  /** It is no more in the API. */
  #absent = false;
  #failed: { readonly reason: string; readonly message: string } | undefined;
  /** What it has to end when it is ended for good. */
  #lastSeconds: number | undefined;
  readonly #settled = Promise.withResolvers<void>();
  #written: PodStatus = {};
  /** The pod's resource version with it. */
  #writtenAt = "";
  #wake = Promise.withResolvers<void>();
  #timer: Timer | undefined;
  #stopping = false;

  /** @param rejected why it is not run at all */
  constructor(context: NodeContext, pod: Pod, rejected?: { readonly reason: string; readonly message: string }) {
    this.#context = context;
    this.#pod = pod;
    this.uid = pod.metadata.uid ?? "";
    if (rejected !== undefined) {
      this.#failed = { ...rejected, message: `Pod was rejected: ${rejected.message}` };
      this.#tell(rejected.reason, rejected.message);
    }
    this.#restarts = new RestartBackoff(context.clock);
    this.#logs = new ContainerLogs(context);
    this.finished = this.#run();
  }

  /** The pod as the API has it now; undefined when it is gone from there. */
  update(pod: Pod | undefined): void {
    if (pod === undefined) this.#absent = true;
    else this.#pod = pod;
    // Who was told to wait may be told not to.
    if (this.#absent || pod?.metadata.deletionGracePeriodSeconds === 0) this.#hurry.abort();
    this.wake();
  }

  /** Something has happened that it may have to do with. */
  wake(): void {
    this.#wake.resolve();
  }

  /** Ends it for good. @param seconds that it has for that */
  evict(message: string, seconds: number): void {
    if (this.#failed !== undefined) return;
    this.#tell("Evicted", message);
    void this.terminate({ reason: "Evicted", message }, seconds);
  }

  /** The same for other reasons; who is ending already gets no more time. Resolves when it has ended and the API knows. */
  async terminate(failed: { readonly reason: string; readonly message: string }, seconds: number): Promise<void> {
    using _timer = this.#context.clock.setTimeout(seconds * 1000, () => {
      if (this.#pod.metadata.deletionTimestamp !== undefined) this.#hurry.abort();
    });
    if (this.#failed === undefined) {
      this.#failed = failed;
      this.#lastSeconds = seconds;
      this.wake();
    }
    await Promise.race([this.#settled.promise, this.finished]);
  }

  /** Leaves everything as it is. */
  stop(): void {
    this.#stopping = true;
    for (const probes of this.#probes.values()) probes[Symbol.dispose]();
    this.wake();
  }

  async #run(): Promise<void> {
    const { logger, clock } = this.#context;
    while (!this.#stopping) {
      this.#wake = Promise.withResolvers();
      let next = RESYNC_MS;
      this.#retried = false;
      try {
        const left = await this.#look();
        if (left === undefined) break;
        next = Math.min(next, left);
        this.#failures.reset();
        if (!this.#retried) this.#retries.reset();
      } catch (error) {
        next = this.#failures.next();
        logger.warn("a pod is looked at again later", { pod: this.#name, error });
      }
      this.#timer?.[Symbol.dispose]();
      this.#timer = clock.setTimeout(next, () => this.wake());
      await this.#wake.promise;
    }
    this.#timer?.[Symbol.dispose]();
    await this.#logs[Symbol.asyncDispose]();
  }

  get #name(): string {
    return `${this.#pod.metadata.namespace}/${this.#pod.metadata.name}`;
  }

  /** @returns milliseconds until the next look at the latest; undefined when all is over */
  async #look(): Promise<number | undefined> {
    const pod = this.#pod;
    const observed = await observe(this.#context.cri, this.uid);
    await this.#follow(pod, observed);
    if (this.#absent || pod.metadata.deletionTimestamp !== undefined) {
      await this.#end(pod, observed);
      return undefined;
    }
    const left = this.#deadline(pod);
    if (this.#failed !== undefined || isOver(pod)) {
      await this.#settle(pod, observed);
      return RESYNC_MS;
    }
    const plan = this.#plan(pod, observed);
    if (plan.over) {
      await this.#settle(pod, observed);
      return RESYNC_MS;
    }
    return Math.min(left, await this.#advance(pod, observed, plan));
  }

  #plan(pod: Pod, observed: ObservedPod): PodPlan {
    return planPod(pod, observed, {
      sandboxId: readySandbox(observed)?.id,
      probes: (id) => {
        const probes = this.#probes.get(id);
        if (probes === undefined) return undefined;
        const { started, unhealthy } = probes;
        if (unhealthy === undefined) return { started };
        const seconds = unhealthy.spec.terminationGracePeriodSeconds;
        return { started, unhealthy: { kind: unhealthy.kind, ...(seconds === undefined ? {} : { seconds }) } };
      },
    });
  }

  /** Probes for what runs, and for nothing else; last words of what has ended. */
  async #follow(pod: Pod, observed: ObservedPod): Promise<void> {
    const live = new Map<string, ContainerStatus>();
    const own = readySandbox(observed)?.network?.ip ?? "";
    const podIP = (): string => (pod.spec.hostNetwork === true ? this.#context.hostIP : own);
    for (const container of everyContainer(pod)) {
      for (const { status } of running(observed, container.name)) {
        live.set(status.id, status);
        if (this.#probes.has(status.id)) continue;
        const probes = new ContainerProbes({
          ...this.#context,
          containerId: status.id,
          container,
          podIP,
          startedAt: Number(status.startedAt / 1_000_000n),
          ...toldOf(pod, containerUri(this.#context.engine, status.id)),
          changed: () => this.wake(),
          failed: (kind, output, errored) => {
            const word = `${kind[0]?.toUpperCase()}${kind.slice(1)}`;
            const result = errored ? "errored and resulted in unknown state" : "failed";
            this.#tell("Unhealthy", `${word} probe ${result}: ${output}`, { about: container });
          },
        });
        this.#probes.set(status.id, probes);
      }
      for (const { status } of observed.containers.get(container.name)?.slice(0, 2) ?? []) {
        if (status.state !== ContainerState.Exited || this.#words.has(status.id)) continue;
        this.#words.set(status.id, await lastWords(status));
      }
    }
    this.#logs.follow([...live.values()]);
    for (const [id, probes] of this.#probes) {
      if (live.has(id)) continue;
      probes[Symbol.dispose]();
      this.#probes.delete(id);
    }
  }

  /** @returns milliseconds until the next try; tries are rarer and rarer, or telling of them would use up the pod's events */
  #later(): number {
    this.#retried = true;
    return this.#retries.next();
  }

  /** @returns milliseconds until the pod has run for as long as it may */
  #deadline(pod: Pod): number {
    const { spec, status } = pod;
    const { activeDeadlineSeconds: seconds } = spec;
    const began = Date.parse(this.#written.startTime ?? status?.startTime ?? "");
    if (seconds === undefined || Number.isNaN(began)) return RESYNC_MS;
    const left = began + seconds * 1000 - this.#context.clock.now();
    if (left <= 0 && this.#failed === undefined && !isOver(pod)) {
      const [reason, message] = ["DeadlineExceeded", "Pod was active on the node longer than the specified deadline"];
      this.#failed = { reason, message };
      this.#tell(reason, message, { type: "Normal" });
    }
    return Math.max(0, left);
  }

  /** @returns milliseconds until the next look at the latest */
  async #advance(pod: Pod, observed: ObservedPod, plan: PodPlan): Promise<number> {
    const { volumes: store } = this.#context;
    let prepared: ReadonlyMap<string, PreparedVolume>;
    const known = readySandbox(observed);
    try {
      prepared = await store.prepare(pod, this.#sources(known));
    } catch (error) {
      this.#tell("FailedMount", asBoxshipError(error).message);
      await this.#write(pod, observed);
      return this.#later();
    }
    for (const { spec, container, why, seconds } of plan.stop) {
      const grace = seconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
      const { id: containerId } = container.status;
      await stopOne(this.#context, { pod, spec, containerId, seconds: grace, why, hurry: this.#hurry.signal });
    }
    if (plan.stop.length > 0) return 0;
    const { resized, state } = await resizePod(this.#context, pod, observed, this.#sizes);
    this.#resize = state;
    if (plan.start.length === 0) {
      this.#waiting.clear();
      await this.#write(pod, resized ? await observe(this.#context.cri, this.uid) : observed);
      return RESYNC_MS;
    }
    const sandbox = known ?? (await this.#makeSandbox(pod, observed));
    if (sandbox === undefined) return this.#later();
    if (known === undefined) {
      // Now that it has an address, others may know.
      prepared = await store.prepare(pod, this.#sources(sandbox));
    }
    let next = RESYNC_MS;
    for (const start of plan.start) next = Math.min(next, await this.#start(pod, sandbox, start, observed, prepared));
    const after = await observe(this.#context.cri, this.uid);
    await this.#follow(pod, after);
    await this.#tidy(after);
    await this.#write(pod, after);
    return next;
  }

  #sources(sandbox: PodSandboxStatus | undefined) {
    const { objects, token, hostIPs, allocatable } = this.#context;
    const podIPs = podAddresses(this.#pod, sandbox, this.#context);
    return { objects, token, facts: { podIPs, hostIPs, allocatable } };
  }

  async #makeSandbox(pod: Pod, observed: ObservedPod): Promise<PodSandboxStatus | undefined> {
    const { client, cri, settings } = this.#context;
    const before = observed.sandboxes[0];
    const attempt = before === undefined ? 0 : (before.metadata?.attempt ?? 0) + 1;
    try {
      if (before !== undefined) await cri.stopPodSandbox({ podSandboxId: before.id });
      const runtimeHandler = await runtimeHandlerOf(client, pod);
      const config = await podConfig(pod, attempt, settings, await this.#users(pod, runtimeHandler));
      await limitPod(cgroupOf(pod, settings), pod, settings.maxPids);
      const { podSandboxId } = await cri.runPodSandbox({ config, runtimeHandler });
      return (await cri.podSandboxStatus({ podSandboxId })).status;
    } catch (error) {
      const lacking = pod.spec.hostNetwork === true ? undefined : await cri.status({}).then(networkProblem, () => {});
      if (lacking !== undefined) this.#tell("NetworkNotReady", `network is not ready: ${lacking}`);
      else this.#tell("FailedCreatePodSandBox", `Failed to create pod sandbox: ${asBoxshipError(error).message}`);
      await this.#write(pod, observed);
      return undefined;
    }
  }

  /** The ids of a pod that has a user namespace of its own. @throws Unsupported */
  async #users(pod: Pod, handler: string): Promise<PodUsers | undefined> {
    if (pod.spec.hostUsers !== false) return undefined;
    const { cri, users } = this.#context;
    if ((await runtimeFeatures(cri, handler))?.userNamespaces === true) return await users.take(this.uid);
    const who = handler === "" ? "runtime" : `RuntimeClass handler "${handler}"`;
    throw new Unsupported(`can't set \`spec.hostUsers: false\`, ${who} does not support user namespaces`);
  }

  /** @returns milliseconds until the next look at the latest */
  async #start(
    pod: Pod,
    sandbox: PodSandboxStatus,
    { spec, attempt, endedAt, discard }: StartPlan,
    observed: ObservedPod,
    volumes: ReadonlyMap<string, PreparedVolume>,
  ): Promise<number> {
    const { cri, images } = this.#context;
    if (endedAt !== undefined) {
      const left = this.#restarts.left(spec.name, endedAt);
      if (left > 0) {
        const delay = this.#restarts.delayOf(spec.name) / 1000;
        const message = `back-off ${delay}s restarting failed container=${spec.name} pod=${pod.metadata.name}_${pod.metadata.namespace}(${this.uid})`;
        if (this.#waiting.get(spec.name)?.message !== message) {
          this.#tell(
            "BackOff",
            `Back-off restarting failed container ${spec.name} in pod ${pod.metadata.name}_${pod.metadata.namespace}(${this.uid})`,
            { about: spec },
          );
        }
        this.#waiting.set(spec.name, { reason: "CrashLoopBackOff", message });
        return left;
      }
    }
    const targetId = running(observed, spec.targetContainerName ?? "")[0]?.status.id;
    if (discard !== undefined) await cri.removeContainer({ containerId: discard });
    const recursiveReadOnly = await this.#recurses(pod);
    const request = { pod, spec, sandbox, attempt, volumes, targetId, recursiveReadOnly };
    const waiting = await startContainer(this.#context, request);
    // One that was made and could not be started has ended again.
    const begun = waiting === undefined || BEGUN.includes(waiting.reason);
    if (endedAt !== undefined && begun) this.#restarts.restarted(spec.name, endedAt);
    if (waiting === undefined) {
      this.#waiting.delete(spec.name);
      return RESYNC_MS;
    }
    this.#waiting.set(spec.name, waiting);
    return Math.max(images.waitOf(pod, spec), this.#later());
  }

  /** Keeps of each container what runs and the run before; of sandboxes the last two. */
  async #tidy(observed: ObservedPod): Promise<void> {
    const { cri } = this.#context;
    for (const all of observed.containers.values()) {
      for (const { status } of all.slice(2)) {
        if (status.state === ContainerState.Running) continue;
        await cri.removeContainer({ containerId: status.id });
        this.#words.delete(status.id);
        if (status.logPath !== "") await removeLog(status.logPath);
      }
    }
    for (const { id } of observed.sandboxes.slice(2)) await cri.removePodSandbox({ podSandboxId: id });
  }

  /** Nothing of it is to run any more, but it stays to be looked at. */
  async #settle(pod: Pod, observed: ObservedPod): Promise<void> {
    const { cri, users } = this.#context;
    const live = [...observed.containers.values()].some((all) => all.some(isRunning));
    const evicted = (this.#failed?.reason ?? pod.status?.reason) === "Evicted";
    if (live) {
      const seconds = this.#lastSeconds ?? (evicted ? 0 : (pod.spec.terminationGracePeriodSeconds ?? 30));
      await stopAll(this.#context, pod, observed, { seconds, hurry: this.#hurry.signal });
    }
    this.#waiting.clear();
    const after = live ? await observe(cri, this.uid) : observed;
    await this.#follow(pod, after);
    await this.#write(pod, after);
    for (const { id, state } of after.sandboxes) {
      if (state === SandboxState.Ready) await cri.stopPodSandbox({ podSandboxId: id });
    }
    // What it had on the disk is why, or may be: its claims' volumes are not the pod's.
    if (evicted) await this.#clear(after);
    await users.release(this.uid);
    if (this.#failed !== undefined) this.#settled.resolve();
  }

  /** Takes away what it has on the disk, but for its logs. */
  async #clear({ containers }: ObservedPod): Promise<void> {
    const { cri, volumes } = this.#context;
    for (const { status } of [...containers.values()].flat()) await cri.removeContainer({ containerId: status.id });
    await volumes.remove(this.uid);
  }

  /** Ends it in order, says how it ended, and takes everything of it away. */
  async #end(pod: Pod, observed: ObservedPod): Promise<void> {
    const { cri, volumes, users, objects, images, settings } = this.#context;
    const seconds = this.#absent ? 0 : (pod.metadata.deletionGracePeriodSeconds ?? 30);
    const cut = (): void => void this.#kill(observed);
    this.#hurry.signal.addEventListener("abort", cut, { once: true });
    await stopAll(this.#context, pod, observed, { seconds, hurry: this.#hurry.signal });
    this.#hurry.signal.removeEventListener("abort", cut);
    this.#waiting.clear();
    const after = await observe(cri, this.uid);
    await this.#follow(pod, after);
    for (const { id } of after.sandboxes) await cri.stopPodSandbox({ podSandboxId: id });
    if (!this.#absent) await this.#write(pod, after, true);
    for (const { id } of after.sandboxes) await cri.removePodSandbox({ podSandboxId: id });
    // Our own engine does it behind the answer.
    if (this.#context.engine !== OWN_ENGINE) await removePodGroup(cgroupOf(pod, settings));
    await volumes.remove(this.uid);
    await users.release(this.uid);
    objects.release(this.uid);
    images.forget(pod);
    await rm(logDirectory(pod, settings), { recursive: true, force: true });
    if (!this.#absent) await this.#delete(pod);
  }

  /** There is no more time. */
  async #kill(observed: ObservedPod): Promise<void> {
    const { cri, logger } = this.#context;
    for (const all of observed.containers.values()) {
      for (const { status } of all.filter(isRunning)) {
        await cri
          .stopContainer({ containerId: status.id, timeout: 0 })
          .catch((error: unknown) => logger.warn("a container cannot be killed", { container: status.id, error }));
      }
    }
  }

  async #delete({ metadata: { namespace = "", name = "", uid = "" } }: Pod): Promise<void> {
    const ref = { ...PODS, namespace, name };
    try {
      await this.#context.client.delete(ref, { gracePeriodSeconds: 0, preconditions: { uid } });
    } catch (error) {
      if (!(error instanceof NotFound) && asBoxshipError(error).code !== "Conflict") throw error;
    }
  }

  async #write(pod: Pod, observed: ObservedPod, ended = false): Promise<void> {
    // Of a node that was not heard for a while, others have said that its pods are not ready.
    if (isOverruled(pod, this.#written, this.#writtenAt)) this.#written = {};
    const base: Pod = { ...pod, status: knownStatus(pod.status, this.#written) };
    const status = podStatus(base, observed, {
      engine: this.#context.engine,
      hostIP: this.#context.hostIP,
      hostIPs: this.#context.hostIPs,
      now: this.#context.clock.now(),
      probes: (id) => this.#probes.get(id),
      waiting: (name) => this.#waiting.get(name),
      messages: (id) => this.#words.get(id),
      recursiveReadOnly: await this.#recurses(pod),
      resize: this.#resize,
      failed: this.#failed,
      ended,
    });
    if (JSON.stringify(status) === JSON.stringify(this.#written)) return;
    const { namespace = "", name = "" } = pod.metadata;
    try {
      const ref = { ...PODS, namespace, name };
      const patch = statusPatch(base, status);
      const { metadata } = await this.#context.client.patch(ref, "strategic", patch, { subresource: "status" });
      this.#written = status;
      this.#writtenAt = metadata.resourceVersion ?? "";
    } catch (error) {
      // Deleted without grace, or another of the same name: that is told by the watch.
      if (!(error instanceof NotFound) && asBoxshipError(error).code !== "Conflict") throw error;
    }
  }

  async #recurses(pod: Pod): Promise<boolean> {
    // Ephemeral containers come later, and may be the first to ask.
    if (!asksForRecursiveMounts(pod)) return false;
    // Its class may be gone, and the engine away: then it is asked again.
    this.#recursive ??= await makesRecursiveReadOnly(this.#context, pod).catch(() => undefined);
    return this.#recursive === true;
  }

  /** @param told `about` one of its containers */
  #tell(reason: string, message: string, told: { type?: "Normal" | "Warning"; about?: ContainerSpec } = {}): void {
    const { type = "Warning", about } = told;
    const path = about === undefined ? undefined : fieldPathOf(this.#pod, about);
    this.#context.events.record(this.#pod, type, reason, message, path);
  }
}

/** What was written last may not have come back yet; conditions of others are as the API has them. */
function knownStatus(told: PodStatus = {}, written: PodStatus): PodStatus {
  const own = written.conditions ?? [];
  const others = (told.conditions ?? []).filter(({ type }) => !own.some((one) => one.type === type));
  return { ...told, ...written, conditions: [...own, ...others] };
}

/** Whether somebody has said something else since it was written. */
function isOverruled({ metadata, status = {} }: Pod, { conditions = [] }: PodStatus, writtenAt: string): boolean {
  if (!isLater(metadata.resourceVersion ?? "", writtenAt)) return false;
  return conditions.some((own) => status.conditions?.find(({ type }) => type === own.type)?.status !== own.status);
}

/** Versions are numbers, the later the larger; where they are not, nothing is known. */
const isLater = (version: string, than: string): boolean =>
  /^\d+$/.test(version) && /^\d+$/.test(than) && BigInt(version) > BigInt(than);

const isRunning = ({ status }: { readonly status: { readonly state: number } }): boolean =>
  status.state === ContainerState.Running;

/** What the API knows of a container that ran before this process began. */
function toldOf({ status }: Pod, uri: string): { known?: { started: boolean; ready: boolean } } {
  const { containerStatuses = [], initContainerStatuses = [] } = status ?? {};
  const told = [...containerStatuses, ...initContainerStatuses].find(({ containerID }) => containerID === uri);
  return told === undefined ? {} : { known: { started: told.started === true, ready: told.ready } };
}

function readySandbox({ sandboxes }: ObservedPod): PodSandboxStatus | undefined {
  const [newest] = sandboxes;
  return newest?.state === SandboxState.Ready ? newest : undefined;
}
