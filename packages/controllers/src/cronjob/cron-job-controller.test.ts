import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { JsonObject, KubeObject } from "@boxship/api";
import { jobController } from "../job/job-controller.ts";
import { CRON_JOBS } from "../shared/resources.ts";
import { fakeNodes } from "../testing/fake-nodes.ts";
import { type Step, scenario } from "../testing/scenario.ts";
import { startWorld, type World } from "../testing/world.ts";
import type { CronJob, Job } from "../types/jobs.ts";
import { cronJobController } from "./cron-job-controller.ts";

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

  test("has a schedule that can be read", async () => {
    const wrong = /spec\.schedule: Invalid value: "99 \* \* \* \*": end of range \(99\) above maximum \(59\): 99$/;
    await assert.rejects(world.create(cronJob("wrong", "99 * * * *", "exit-0")), { message: wrong });
  });
});
