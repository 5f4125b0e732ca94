import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { JsonObject, KubeObject } from "@boxship/api";
import { NotFound } from "@boxship/base";
import { garbageCollector } from "../garbage/garbage-collector.ts";
import { JOBS } from "../shared/resources.ts";
import { fakeNodes } from "../testing/fake-nodes.ts";
import { type Step, scenario } from "../testing/scenario.ts";
import { startWorld, type World } from "../testing/world.ts";
import type { Job } from "../types/jobs.ts";
import type { Pod } from "../types/pod.ts";
import { jobController } from "./job-controller.ts";
import { isTracked } from "./job-pods.ts";
import { outcomeOf, stateOf } from "./job-state.ts";
import { ttlAfterFinishedController } from "./ttl-controller.ts";

let world: World;
before(async () => {
  world = await startWorld({
    definitions: [jobController, ttlAfterFinishedController, garbageCollector, fakeNodes()],
    untold: ["nodes"],
  });
});
after(() => world?.[Symbol.asyncDispose]());

const job = (name: string, image: string, spec: JsonObject = {}): KubeObject => ({
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name, namespace: "default" },
  spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image }] } }, ...spec },
});

const golden = (name: string, steps: readonly Step[]): Promise<void> => scenario(world, import.meta.url, name, steps);
const at = (name: string) => ({ ...JOBS, namespace: "default", name });
const get = (name: string): Promise<Job> => world.client.get<Job>(at(name));
const run = async (name: string, image: string, spec: JsonObject, seconds: number): Promise<Job> => {
  await world.create(job(name, image, spec));
  await world.advance(seconds);
  return await get(name);
};
const podsOf = async (name: string): Promise<readonly Pod[]> =>
  (await world.list<Pod>("v1", "pods")).filter(({ metadata }) => metadata.labels?.["job-name"] === name);
const conditions = ({ status }: Job): readonly string[] =>
  (status?.conditions ?? []).map(({ type, status: state, reason }) => `${type}=${state} ${reason}`);

describe("a Job", () => {
  test("runs two at a time until three have succeeded", async () => {
    await golden("complete", [
      ["a job of 3, 2 at a time", () => world.create(job("three", "exit-0", { completions: 3, parallelism: 2 }))],
      ["time goes by", () => world.advance(60)],
    ]);
    const pods = await podsOf("three");
    assert.deepEqual(pods.map(isTracked), [false, false, false], "nobody holds them");
  });

  test("tries again after 10 s, 20 s, until its limit", async () => {
    await golden("backoff", [
      ["a job that fails, with a limit of 2", () => world.create(job("bad", "exit-3", { backoffLimit: 2 }))],
      ["time goes by", () => world.advance(600)],
    ]);
  });

  test("is suspended and goes on", async () => {
    await golden("suspend", [
      ["a job", () => world.create(job("pause", "exit-0"))],
      ["suspended", () => world.client.patch(at("pause"), "merge", { spec: { suspend: true } })],
      ["a minute goes by", () => world.advance(60)],
      ["resumed", () => world.client.patch(at("pause"), "merge", { spec: { suspend: false } })],
      ["a minute goes by", () => world.advance(60)],
    ]);
  });

  test("ends at its deadline, when its pods are gone", async () => {
    const ended = await run("deadline", "runs", { activeDeadlineSeconds: 30 }, 120);
    assert.deepEqual(conditions(ended), ["FailureTarget=True DeadlineExceeded", "Failed=True DeadlineExceeded"]);
    assert.deepEqual([ended.status?.active, ended.status?.failed, ended.status?.terminating], [undefined, 1, 0]);
    assert.deepEqual(await podsOf("deadline"), []);
  });

  test("indexed: each index once, with its number in name, label and environment", async () => {
    const done = await run("idx", "exit-0", { completions: 3, parallelism: 3, completionMode: "Indexed" }, 30);
    assert.deepEqual([done.status?.completedIndexes, done.status?.succeeded], ["0-2", 3]);
    const pods = await podsOf("idx");
    assert.deepEqual(new Set(pods.map(({ spec }) => spec?.hostname)), new Set(["idx-0", "idx-1", "idx-2"]));
    const [first] = pods;
    assert.match(first?.metadata.name ?? "", /^idx-0-\w{5}$/);
    assert.equal(first?.spec?.containers?.[0]?.env?.[0]?.name, "JOB_COMPLETION_INDEX");
  });

  test("indexed: each index has its own limit", async () => {
    const spec = { completions: 2, parallelism: 2, completionMode: "Indexed", backoffLimitPerIndex: 1 };
    const failed = await run("per", "exit-1", spec, 120);
    assert.deepEqual(conditions(failed), ["FailureTarget=True FailedIndexes", "Failed=True FailedIndexes"]);
    assert.deepEqual([failed.status?.failedIndexes, failed.status?.failed], ["0,1", 4]);
    const more = await run("most", "exit-1", { ...spec, maxFailedIndexes: 1 }, 120);
    assert.deepEqual(conditions(more)[0], "FailureTarget=True MaxFailedIndexesExceeded");
  });

  test("rules about failures: one fails the job, one fails an index, one does not count", async () => {
    const rule = (action: string): JsonObject => ({
      podFailurePolicy: { rules: [{ action, onExitCodes: { operator: "In", values: [42] } }] },
    });
    const failed = await run("rule", "exit-42", { ...rule("FailJob"), backoffLimit: 5 }, 60);
    assert.deepEqual(conditions(failed), ["FailureTarget=True PodFailurePolicy", "Failed=True PodFailurePolicy"]);
    const [target] = failed.status?.conditions ?? [];
    assert.match(
      target?.message ?? "",
      /^Container c for pod default\/rule-\w+ failed with exit code 42 matching FailJob rule at index 0$/,
    );
    const indexed = { completions: 1, completionMode: "Indexed", backoffLimitPerIndex: 5 };
    const index = await run("rule-index", "exit-42", { ...rule("FailIndex"), ...indexed }, 60);
    assert.deepEqual([index.status?.failedIndexes, index.status?.failed], ["0", 1]);
    const ignored = await run("rule-none", "exit-42", { ...rule("Ignore"), backoffLimit: 1 }, 60);
    assert.deepEqual([conditions(ignored), ignored.status?.failed], [[], undefined]);
    await world.client.delete(at("rule-none"), { propagationPolicy: "Background" });
    await world.settle();
  });

  test("is successful when a rule says so, and ends what still runs", async () => {
    const spec = {
      completions: 3,
      parallelism: 3,
      completionMode: "Indexed",
      successPolicy: { rules: [{ succeededIndexes: "0" }] },
    };
    await world.create(job("lead", "runs", spec));
    await world.advance(5);
    const [leader] = await podsOf("lead");
    const pod = { group: "", version: "v1", resource: "pods", namespace: "default", name: leader?.metadata.name ?? "" };
    await world.client.patch(pod, "merge", { status: { phase: "Succeeded" } }, { subresource: "status" });
    await world.advance(5);
    const done = await get("lead");
    assert.deepEqual(conditions(done), ["SuccessCriteriaMet=True SuccessPolicy", "Complete=True SuccessPolicy"]);
    assert.deepEqual([done.status?.succeeded, done.status?.completedIndexes], [1, "0"]);
  });

  test("goes after its time, and its pods with it", async () => {
    await run("gone", "exit-0", { ttlSecondsAfterFinished: 100 }, 60);
    assert.deepEqual(conditions(await get("gone")).at(-1), "Complete=True CompletionsReached");
    await world.advance(60);
    await assert.rejects(get("gone"), NotFound);
    assert.deepEqual(await podsOf("gone"), []);
  });

  test("lets its pods go when it is deleted, whatever they do", async () => {
    await run("quit", "runs", { parallelism: 2 }, 5);
    await world.client.delete(at("quit"), { propagationPolicy: "Background" });
    await world.advance(60);
    assert.deepEqual(await podsOf("quit"), []);
  });

  test("replaces pods that are on their way out only when they have ended, if it is told to", async () => {
    await run("slow", "runs", { podReplacementPolicy: "Failed" }, 5);
    const [pod] = await podsOf("slow");
    const ref = { group: "", version: "v1", resource: "pods", namespace: "default", name: pod?.metadata.name ?? "" };
    await world.client.delete(ref);
    const made = world.history.lines.length;
    await world.advance(30);
    const lines = world.history.lines.slice(made).filter((line) => line.includes("jobs.batch slow"));
    assert.match(lines[0] ?? "", /active 1→-.* terminating 0→1/);
    const { status } = await get("slow");
    assert.deepEqual([status?.active, status?.failed, status?.terminating], [1, 1, 0]);
  });

  test("counts containers that are started again in their pods", async () => {
    await world.create(
      job("again", "runs", {
        backoffLimit: 2,
        template: { spec: { restartPolicy: "OnFailure", containers: [{ name: "c", image: "runs" }] } },
      }),
    );
    await world.advance(5);
    const [pod] = await podsOf("again");
    const ref = { group: "", version: "v1", resource: "pods", namespace: "default", name: pod?.metadata.name ?? "" };
    const containerStatuses = [{ name: "c", image: "runs", imageID: "", ready: true, restartCount: 2 }];
    await world.client.patch(ref, "merge", { status: { containerStatuses } }, { subresource: "status" });
    await world.advance(5);
    assert.deepEqual(conditions(await get("again")).at(-1), "Failed=True BackoffLimitExceeded");
  });

  test("counts a pod once, also when it ended between two steps of the counting", async () => {
    await run("once", "runs", { completions: 2, parallelism: 1 }, 5);
    const [pod] = await podsOf("once");
    const uid = pod?.metadata.uid ?? "";
    const { status } = await get("once");
    // As after a crash: the pod is written down, and not let go yet.
    await world.client.patch(
      at("once"),
      "merge",
      { status: { ...status, uncountedTerminatedPods: { succeeded: [uid] } } as JsonObject },
      { subresource: "status" },
    );
    const ref = { group: "", version: "v1", resource: "pods", namespace: "default", name: pod?.metadata.name ?? "" };
    await world.client.patch(ref, "merge", { status: { phase: "Succeeded" } }, { subresource: "status" });
    await world.advance(5);
    const later = await get("once");
    assert.deepEqual([later.status?.succeeded, later.status?.active], [1, 1]);
    assert.equal((await podsOf("once")).find(({ metadata }) => metadata.uid === uid)?.metadata.finalizers, undefined);
  });

  test("succeeds by its policy also when the last of its other indexes fails at that moment", () => {
    const spec = { completionMode: "Indexed", completions: 2, backoffLimitPerIndex: 0, template: {} };
    const status = { completedIndexes: "0", failedIndexes: "1" };
    const outcome = (more: JsonObject): string | undefined => {
      const one = { apiVersion: "batch/v1", kind: "Job", metadata: {}, spec: { ...spec, ...more }, status } as Job;
      return outcomeOf(one, stateOf(one, []), 0)?.reason;
    };
    assert.equal(outcome({ successPolicy: { rules: [{ succeededIndexes: "0" }] } }), "SuccessPolicy");
    assert.equal(outcome({}), "FailedIndexes");
    assert.equal(
      outcome({ maxFailedIndexes: 0, successPolicy: { rules: [{ succeededIndexes: "0" }] } }),
      "MaxFailedIndexesExceeded",
    );
  });
});
