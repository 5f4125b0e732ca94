import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Cluster, repositoryRoot } from "@boxship/testkit";

/** The services' packages, unpacked by the setup. */
const PACKAGES = join(repositoryRoot, ".cache/services/root");
const OBJECTS = join(import.meta.dirname, "services.yaml");

type Command = (...args: readonly string[]) => Promise<string>;

/** Why {@link packagedServices} cannot be tried. */
export const servicesAbsent = (): string | false =>
  existsSync(PACKAGES) ? false : "the packages of nginx, PostgreSQL and Redis cannot be had here";

async function buildImages(ok: Command): Promise<void> {
  await ok("image", "bootstrap", "--from", PACKAGES, "e2e/service-packages:1");
  const file = join(import.meta.dirname, "services.Containerfile");
  for (const name of ["nginx", "postgres", "redis"]) {
    await ok("build", "-f", file, "--target", name, "-t", `e2e/${name}:1`, import.meta.dirname);
  }
}

/** Process id of what a pod's container runs. */
async function processOf({ engine: { client } }: Cluster, pod: string, container: string): Promise<number> {
  const label = [`io.kubernetes.pod.name=${pod}`, `io.kubernetes.container.name=${container}`];
  const filters = encodeURIComponent(JSON.stringify({ label }));
  const [found] = await client.json<{ Id: string }[]>("GET", `/containers/json?filters=${filters}`);
  const { State } = await client.json<{ State: { Pid: number } }>("GET", `/containers/${found?.Id}/json`);
  assert.ok(State.Pid > 0);
  return State.Pid;
}

/** nginx, PostgreSQL and Redis of the distribution, as people run them in a cluster; asked by their names from another pod. */
export async function packagedServices(t: TestContext, cluster: Cluster, ok: Command): Promise<void> {
  const { kube, field } = cluster;
  const inside = (container: string) => (script: string) =>
    kube("exec", "visitor", "-c", container, "--", "sh", "-c", script);
  const [tools, web] = [inside("tools"), inside("web")];
  const sql = (words: string) => tools(`psql -h database -U postgres -tAqc "${words}"`);
  const redis = (words: string) => tools(`redis-cli -h cache ${words}`);
  /** Ends a container's first process without a warning, and waits until its pod is ready with the next one. */
  const kill = async (pod: string, container: string) => {
    const before = Number(await field(`pod/${pod}`, "{.status.containerStatuses[0].restartCount}"));
    process.kill(await processOf(cluster, pod, container), "SIGKILL");
    await cluster.until(`pod/${pod}`, "{.status.containerStatuses[0].restartCount}", String(before + 1));
    await kube("wait", `pod/${pod}`, "--for=condition=Ready", "--timeout=120s");
  };
  const replace = async (set: string) => {
    const before = await field(`pod/${set}-0`, "{.metadata.uid}");
    await kube("delete", "pod", `${set}-0`, "--timeout=120s");
    await kube("rollout", "status", `statefulset/${set}`, "--timeout=120s");
    assert.notEqual(await field(`pod/${set}-0`, "{.metadata.uid}"), before);
  };

  await t.test("they are built, deployed and ready", { timeout: 600_000 }, async () => {
    await buildImages(ok);
    await kube("apply", "-f", OBJECTS);
    for (const object of ["deployment/site", "statefulset/database", "statefulset/cache"])
      await kube("rollout", "status", object, "--timeout=120s");
    await kube("wait", "pod/visitor", "--for=condition=Ready", "--timeout=120s");
  });

  await t.test("nginx serves what its config map says, also when that changes", async () => {
    assert.equal(await web("wget -qO- http://site/"), "blue\n");
    const objects = `{"data":{"site.conf":"server { listen 8080; return 200 green; }"}}`;
    await kube("patch", "configmap", "site", "-p", objects);
    const pods = (await kube("get", "pods", "-l", "app=site", "-o", "name")).trim().split("\n");
    assert.equal(pods.length, 2);
    for (const pod of pods)
      await kube(
        "exec",
        pod,
        "--",
        "sh",
        "-c",
        "until grep -q green /etc/nginx/conf.d/site.conf; do sleep 0.1; done; nginx -s reload",
      );
    // Workers of before may take a connection while they are told to end.
    await web(
      `until [ "$(for at in 1 2 3 4 5 6; do wget -qO- http://site.default.svc/; done)" = greengreengreengreengreengreen ]; do sleep 0.1; done`,
    );
  });

  await t.test("PostgreSQL keeps what was committed, through the end of its pod and kill -9", async () => {
    await sql("create table words (word text); insert into words values ('kept')");
    await replace("database");
    assert.equal(await sql("select word from words"), "kept\n");
    await sql("insert into words values ('killed')");
    await kill("database-0", "postgres");
    assert.equal(await sql("select word from words order by word"), "kept\nkilled\n");
    assert.match(await kube("logs", "database-0"), /database system was not properly shut down; automatic recovery/);
  });

  await t.test("Redis keeps what it has appended, through kill -9 and the end of its pod", async () => {
    assert.equal(await redis("set word kept"), "OK\n");
    await kill("cache-0", "redis");
    assert.equal(await redis("get word"), "kept\n");
    await replace("cache");
    assert.equal(await redis("get word"), "kept\n");
  });

  await kube("delete", "-f", OBJECTS, "--timeout=120s");
  await kube("delete", "pvc", "data-database-0", "data-cache-0", "--timeout=120s");
}
