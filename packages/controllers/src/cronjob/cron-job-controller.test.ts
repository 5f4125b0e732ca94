import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { JsonObject, KubeObject } from "@boxship/api";
import { jobController } from "../job/job-controller.ts";
import { CRON_JOBS, JOBS } from "../shared/resources.ts";
import { fakeNodes } from "../testing/fake-nodes.ts";
import { type Step, scenario } from "../testing/scenario.ts";
import { startWorld, type World } from "../testing/world.ts";
import type { CronJob, Job } from "../types/jobs.ts";
import { cronJobController } from "./cron-job-controller.ts";
import { waitFor } from "./cron-look.ts";
import { parseSchedule } from "./schedule.ts";

let world: World;
before(async () => {
  world = await startWorld({
    definitions: [cronJobController, jobController, fakeNodes()],
    untold: ["nodes", "job-controller"],
  });
});
after(() => world?.[Symbol.asyncDispose]());

const cronJob = (name: string, schedule: string, image: string, spec: JsonObject = {}): KubeObject => ({
  apiVersion: "batch/v1",
  kind: "CronJob",
  metadata: { name, namespace: "default" },
  spec: {
    schedule,
    jobTemplate: { spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image }] } } } },
    ...spec,
  },
});

const golden = (name: string, steps: readonly Step[]): Promise<void> => scenario(world, import.meta.url, name, steps);
const at = (name: string) => ({ ...CRON_JOBS, namespace: "default", name });
const suspend = (name: string): Promise<unknown> => world.client.patch(at(name), "merge", { spec: { suspend: true } });
const jobsOf = async (name: string): Promise<readonly Job[]> =>
  (await world.list<Job>("batch/v1", "jobs")).filter(({ metadata }) => metadata.name?.startsWith(`${name}-`) === true);

describe("a CronJob", () => {
  test("makes a job each minute, and keeps as many as it is told to", async () => {
    await golden("minutes", [
      [
        "each minute, one that succeeded is kept",
        () => world.create(cronJob("tick", "* * * * *", "exit-0", { successfulJobsHistoryLimit: 1 })),
      ],
      ["three minutes go by", () => world.advance(185)],
      ["suspended", () => suspend("tick")],
      ["five minutes go by", () => world.advance(300)],
    ]);
  });

  test("forbids a second one beside one that runs", async () => {
    await golden("forbid", [
      [
        "each minute, one at a time",
        () => world.create(cronJob("one", "* * * * *", "runs", { concurrencyPolicy: "Forbid" })),
      ],
      ["two minutes go by", () => world.advance(125)],
      ["suspended", () => suspend("one")],
    ]);
  });

  test("replaces one that runs, or has several", async () => {
    await world.create(cronJob("new", "* * * * *", "runs", { concurrencyPolicy: "Replace" }));
    await world.create(cronJob("all", "* * * * *", "runs"));
    await world.advance(185);
    assert.deepEqual([(await jobsOf("new")).length, (await jobsOf("all")).length], [1, 3]);
    assert.equal((await world.client.get<CronJob>(at("all"))).status?.active?.length, 3);
    await suspend("new");
    await suspend("all");
  });

  test("counts in its time zone, and says so", async () => {
    await world.create(cronJob("zone", "0 9 * * *", "exit-0", { timeZone: "Asia/Kolkata" }));
    for (const timeZone of ["Mars/Base", "+05:30", "local", ""]) {
      const wrong = /spec\.timeZone: Invalid value: ".*": (unknown time zone (Mars\/Base|\+05:30)|timeZone must be )/;
      await assert.rejects(world.create(cronJob("nowhere", "0 9 * * *", "exit-0", { timeZone })), { message: wrong });
    }
    await world.advance(24 * 3600);
    const [job] = await jobsOf("zone");
    const scheduled = job?.metadata.annotations?.["batch.kubernetes.io/cronjob-scheduled-timestamp"] ?? "";
    assert.match(scheduled, /T09:00:00\+05:30$/);
    await suspend("zone");
  });

  test("starts what was missed once, unless its deadline is over", async () => {
    await golden("missed", [
      [
        "hourly, suspended, to be started within 100 s",
        () => world.create(cronJob("late", "@hourly", "exit-0", { startingDeadlineSeconds: 100, suspend: true })),
      ],
      ["hourly, suspended, whenever", () => world.create(cronJob("any", "@hourly", "exit-0", { suspend: true }))],
      ["90 minutes after an hour", () => world.advance(5400)],
      ["the first goes on", () => world.client.patch(at("late"), "merge", { spec: { suspend: false } })],
      ["the second goes on", () => world.client.patch(at("any"), "merge", { spec: { suspend: false } })],
    ]);
    await suspend("late");
    await suspend("any");
  });

  test("starts nothing at once for a new schedule, and counts @every from its last time", async () => {
    await world.create(cronJob("moved", "0 0 1 7 *", "exit-0"));
    await world.advance(7200);
    await world.client.patch(at("moved"), "merge", { spec: { schedule: "@hourly" } });
    await world.settle();
    assert.deepEqual(await jobsOf("moved"), [], "what was due by it before is nobody's");
    await world.advance(3600);
    assert.equal((await jobsOf("moved")).length, 1);
    await suspend("moved");
    const last = Date.parse("2024-01-01T10:00:00Z");
    const made = { ...cronJob("every", "@every 1h", "x"), status: { lastScheduleTime: "2024-01-01T10:00:00Z" } };
    const wait = waitFor(made, parseSchedule("@every 1h", "UTC"), last + 25 * 60_000);
    assert.equal(wait, 35 * 60_000 + 100);
  });

  test("takes no other's job for its own, and does not forget one that somebody took from it", async () => {
    const minute = Math.floor(world.clock.now() / 60_000) + 1;
    const template = { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "exit-0" }] } };
    const metadata = { name: `kept-${minute}`, namespace: "default" };
    await world.create({ apiVersion: "batch/v1", kind: "Job", metadata, spec: { template } });
    await world.create(cronJob("kept", "* * * * *", "runs", { concurrencyPolicy: "Forbid" }));
    const told = world.history.lines.length;
    await world.advance(60);
    const said = world.history.lines.slice(told).join("\n");
    assert.match(
      said,
      /event for CronJob kept: Warning FailedCreate: Error creating job: jobs.batch "kept-\d+" already exists/,
    );
    await world.advance(60);
    const active = async () => (await world.client.get<CronJob>(at("kept"))).status?.active ?? [];
    const [own] = await active();
    assert.equal(own?.name, `kept-${minute + 1}`);
    const job = { ...JOBS, namespace: "default", name: own?.name ?? "" };
    await world.client.patch(job, "merge", { metadata: { ownerReferences: null } });
    await world.advance(60);
    assert.deepEqual([(await active()).map(({ name }) => name), (await jobsOf("kept")).length], [[own?.name], 2]);
    await world.client.delete(job, { propagationPolicy: "Background" });
    await world.advance(60);
    assert.deepEqual((await active()).length, 1, "it is gone, and another one runs");
    await suspend("kept");
  });

  test("has a schedule that can be read", async () => {
    const wrong = /spec\.schedule: Invalid value: "99 \* \* \* \*": end of range \(99\) above maximum \(59\): 99$/;
    await assert.rejects(world.create(cronJob("wrong", "99 * * * *", "exit-0")), { message: wrong });
  });
});
