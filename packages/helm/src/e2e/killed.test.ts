import { deepEqual, equal, match, ok } from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { cliProgram, runProgram } from "@boxship/testkit";
import { writeFiles } from "../testing/chart-cases.ts";
import { type ReleaseServer, startReleaseServer } from "../testing/release-server.ts";

const hook = (name: string, events: string) => `---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-${name}
  annotations: {helm.sh/hook: "${events}", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"}
`;

const CHART = new Map([
  ["web/Chart.yaml", "{apiVersion: v2, name: web, version: 1.0.0}"],
  ["web/values.yaml", "{color: red, first: true, second: false}"],
  [
    "web/templates/all.yaml",
    `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-main}
data: {color: {{ .Values.color }}}
{{- range $name := list "first" "second" }}
{{- if index $.Values $name }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ $.Release.Name }}-{{ $name }}}
{{- end }}
{{- end }}
${hook("early", "pre-install,pre-upgrade,pre-rollback")}${hook("late", "post-install,post-upgrade,post-rollback")}`,
  ],
]);

/** Whether each operation is killed before every change, instead of each before every fourth one, in turn. */
const ALL = process.env["BOXSHIP_KILL_EVERYWHERE"] === "1";
const STRIDE = 4;
/** More than any of the operations sends. */
const MOST = 25;

describe("helm is killed before each of its changes", () => {
  let world: ReleaseServer;
  before(async () => {
    world = await startReleaseServer();
    writeFiles(world.home.path, CHART);
  });
  after(() => world[Symbol.asyncDispose]());

  /** @returns whether it was killed */
  const dies = async (line: string, at: number): Promise<boolean> => {
    const [node, ...words] = cliProgram();
    const preload = new URL("../testing/die-at-write.ts", import.meta.url).pathname;
    const env = { KUBECONFIG: world.server.kubeconfig, HOME: world.home.path, BOXSHIP_DIE_AT: String(at) };
    const { status, stderr } = await runProgram([node, "--import", preload, ...words, "helm", ...line.split(" ")], {
      env: { ...process.env, ...env },
    });
    ok(status === 137 || status === 0, `${line}, at ${at}: ${status} ${stderr}`);
    return status === 137;
  };

  const lease = (name: string): string =>
    `/apis/coordination.k8s.io/v1/namespaces/default/leases/sh.helm.release.v1.${name}`;

  const mapsOf = async (name: string): Promise<readonly string[]> => {
    const list = (await world.call("GET", "/api/v1/namespaces/default/configmaps")) as unknown as {
      readonly items: readonly { readonly metadata: { readonly name: string } }[];
    };
    return list.items.map(({ metadata }) => metadata.name).filter((one) => one.startsWith(`${name}-`));
  };

  /** The release is whole again: one revision in the cluster, no other object, nobody at work. */
  const isWhole = async (name: string, color: string, extra: string): Promise<void> => {
    equal((await world.map(`${name}-main`))?.data?.["color"], color, name);
    deepEqual(await mapsOf(name), [`${name}-${extra}`, `${name}-main`].sort(), name);
    const all = await world.statuses(name);
    equal(all.filter((one) => one === "deployed").length, 1, `${name}: ${all.join()}`);
    equal(all.at(-1), "deployed");
    ok(!all.some((one) => one.startsWith("pending-")));
    equal(await world.call("GET", lease(name)), undefined);
    await world.done(`uninstall ${name}`);
    deepEqual(await mapsOf(name), [], name);
  };

  /** Tries an operation again and again, killed one change later each time. @returns how often it was killed */
  async function atEach(
    kind: string,
    first: number,
    one: (name: string, at: number) => Promise<boolean>,
  ): Promise<number> {
    let next = ALL ? 1 : first;
    let killed = 0;
    const work = async (): Promise<void> => {
      while (next <= MOST) {
        const at = next;
        next += ALL ? 1 : STRIDE;
        if (await one(`${kind}-${at}`, at)) killed++;
        else next = MOST + 1;
      }
    };
    const ends = await Promise.allSettled([work(), work(), work()]);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    return killed;
  }

  const chart = () => world.home.join("web");
  /** What `status` says after a kill is the truth: a state, or that there is none yet. */
  const isTold = async (name: string, states: RegExp): Promise<boolean> => {
    const { status, stdout, stderr } = await world.helm(`status ${name}`);
    if (status === 1) match(stderr, /release: not found/);
    else match(stdout, states);
    return stdout.includes("STATUS: pending-");
  };

  test("install: the next command finishes it", async () => {
    const many = await atEach("install", 1, async (name, at) => {
      const killed = await dies(`install ${name} ${chart()}`, at);
      const pending = await isTold(name, /STATUS: (pending-install|deployed)/);
      const { status, stderr } = await world.helm(`upgrade ${name} ${chart()} --install --set color=blue`);
      equal(status, 0, `${name}: ${stderr}`);
      equal(/revision 1 was interrupted while pending-install/.test(stderr), pending, stderr);
      await isWhole(name, "blue", "first");
      return killed;
    });
    ok(many >= (ALL ? 8 : 2), `killed ${many} times`);
  });

  test("upgrade: the next command finishes or undoes it", async () => {
    const many = await atEach("upgrade", 2, async (name, at) => {
      await world.done(`install ${name} ${chart()}`);
      const killed = await dies(`upgrade ${name} ${chart()} --set color=green,first=false,second=true`, at);
      const pending = await isTold(name, /STATUS: (pending-upgrade|deployed)/);
      const back = at % 2 === 0;
      const next = back ? `rollback ${name} 1` : `upgrade ${name} ${chart()} --set color=blue,first=false,second=true`;
      const { status, stderr } = await world.helm(next);
      equal(status, 0, `${name}: ${stderr}`);
      equal(/revision 2 was interrupted while pending-upgrade/.test(stderr), pending, stderr);
      await isWhole(name, back ? "red" : "blue", back ? "first" : "second");
      return killed;
    });
    ok(many >= (ALL ? 9 : 2), `killed ${many} times`);
  });

  test("uninstall: the next command finishes or undoes it", async () => {
    const many = await atEach("remove", 2, async (name, at) => {
      await world.done(`install ${name} ${chart()}`);
      await world.done(`upgrade ${name} ${chart()} --set color=green`);
      const killed = await dies(`uninstall ${name}`, at);
      await isTold(name, /STATUS: (deployed|uninstalling)/);
      const back = at % 2 === 0;
      if (back) {
        const { status, stderr } = await world.helm(`upgrade ${name} ${chart()} --install --set color=blue`);
        equal(status, 0, `${name}: ${stderr}`);
        await isWhole(name, "blue", "first");
        return killed;
      }
      const { status, stderr } = await world.helm(`uninstall ${name} --ignore-not-found`);
      equal(status, 0, `${name}: ${stderr}`);
      deepEqual(await mapsOf(name), [], name);
      match((await world.helm(`status ${name}`)).stderr, /release: not found/);
      equal(await world.call("GET", lease(name)), undefined);
      return killed;
    });
    ok(many >= (ALL ? 6 : 2), `killed ${many} times`);
  });

  test("rollback: the next command finishes or undoes it", async () => {
    const many = await atEach("rollback", 3, async (name, at) => {
      await world.done(`install ${name} ${chart()}`);
      await world.done(`upgrade ${name} ${chart()} --set color=green,first=false,second=true`);
      const killed = await dies(`rollback ${name} 1`, at);
      const pending = await isTold(name, /STATUS: (pending-rollback|deployed)/);
      const back = at % 2 === 0;
      const { status, stderr } = await world.helm(`rollback ${name} ${back ? 2 : 1}`);
      equal(status, 0, `${name}: ${stderr}`);
      equal(/revision 3 was interrupted while pending-rollback/.test(stderr), pending, stderr);
      await isWhole(name, back ? "green" : "red", back ? "second" : "first");
      return killed;
    });
    ok(many >= (ALL ? 9 : 2), `killed ${many} times`);
  });
});
