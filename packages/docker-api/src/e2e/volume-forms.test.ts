import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { runProgram, startBoxship, startDockerd } from "@boxship/testkit";
import { dockerClients, IMAGE, importBusybox } from "../testing/engine-under-test.ts";

/** Ways to write volumes, right and wrong ones. Both engines must answer all of them alike. */
const COMMANDS = `
volume create
volume create v1
volume create v1
volume create --label a=b --label c=d v2
volume create --opt type=tmpfs --opt device=tmpfs --opt o=size=1m,uid=1000 t1
volume create -o type=none -o o=bind -o device=/nonexistent b0
volume create -o type=none -o o=bind -o device=/etc b1
volume create -o type=none -o o=bind b2
volume create -o nonsense=1 x1
volume create -o device=/etc x2
volume create -o type=tmpfs x3
volume create -o o=size=1m x4
volume create -d nonsense x6
volume create ../x
volume create x
volume create 'a b'
volume inspect v2 --format {{.Labels}}
volume inspect t1 --format {{.Options}}
volume inspect nope
volume ls -q
volume ls -q --filter label=a=b
volume ls -q --filter label=a
volume ls -q --filter name=v
volume ls -q --filter driver=local
volume ls -q --filter dangling=true
run --rm -v t1:/m IMAGE sh -c 'stat -c %u /m; df -k /m | tail -1 | sed "s/  */ /g" | cut -d" " -f2'
run --rm -v b1:/m IMAGE cat /m/hostname
run --rm -v v1:/m IMAGE sh -c 'echo hi >/m/f; stat -c %a-%u-%g /m'
run --rm -v v1:/m:ro IMAGE sh -c 'echo hi >/m/g'
run --rm -v n2:/etc:nocopy IMAGE sh -c 'ls /etc | wc -l'
run --rm -v v1:/m:z IMAGE true
run --rm -v v1:/m:Z,ro IMAGE true
run --rm -v 'a b':/m IMAGE true
run --rm -v ./rel:/m IMAGE true
run --rm -v /m IMAGE ls /m
run --rm -v v1:/m -v v2:/m IMAGE true
run --rm -v v1:/m:cached IMAGE true
run --rm -v v1:/a/../b IMAGE ls -d /b
run --rm --mount type=volume,src=v1,dst=/m IMAGE ls /m
run --rm --mount src=v1,target=/m,readonly IMAGE touch /m/x
run --rm --mount type=volume,dst=/m IMAGE ls /m
run --rm --mount type=volume,dst=/m,readonly IMAGE true
run --rm --mount type=volume,src=v9,dst=/m,volume-driver=local,volume-opt=type=tmpfs,volume-opt=device=tmpfs,volume-label=x=y IMAGE sh -c 'mount | grep -c " /m "'
volume inspect v9 --format {{.Labels}}
run --rm --mount type=bind,src=v1,dst=/m IMAGE true
run --rm --mount type=volume,src=v1 IMAGE true
run --rm --mount type=nonsense,src=v1,dst=/m IMAGE true
run --rm --mount type=tmpfs,src=v1,dst=/m IMAGE true
run --rm --mount type=tmpfs,dst=/m,tmpfs-size=1m,tmpfs-mode=700 IMAGE stat -c %a /m
run --rm --mount type=volume,src=v1,dst=/m,volume-nocopy IMAGE true
run --rm --mount type=volume,src=v1,dst=/m,bind-propagation=shared IMAGE true
run --rm --mount type=bind,src=/tmp,dst=/m,volume-nocopy IMAGE true
create --name lost --mount type=bind,src=/nothing/../there,dst=/m IMAGE true
rm lost
create --name c1 -v v1:/m -v /anon IMAGE true
volume rm v1
volume rm -f v1
volume rm nope
volume rm -f nope
inspect c1 --format '{{range .Mounts}}{{.Type}} {{.Destination}} {{.Mode}} {{.RW}} {{.Propagation}};{{end}}'
rm -v c1
volume rm v1 v2
volume create -o type=nfs -o o=addr=127.0.0.1,rw,nfsvers=4 -o device=:/export nfs2
run --rm -v nfs2:/m IMAGE true
volume create -o type=nonsense -o device=x nons
run --rm -v nons:/m IMAGE true
volume prune -f --filter label=nope
create --name p1 --label keep=1 IMAGE true | wc -l
create --name p2 --label keep=2 IMAGE true | wc -l
network create --label keep=1 pn1 | wc -l
network create pn2 | wc -l
container prune -f --filter label=nope
container prune -f --filter label!=keep
system prune -f --filter label=nope
ps -a --format {{.Names}}
container prune -f --filter label=keep=2 | grep -c .
network prune -f --filter label!=keep
ps -a --format {{.Names}}
network ls --filter name=pn --format {{.Name}}
system prune -f --filter label=keep=1 | grep -c .
ps -aq
network ls --filter name=pn --format {{.Name}}
`
  .trim()
  .split("\n");

describe("volumes are written, shown and refused as Docker does", {
  skip: process.env["BOXSHIP_TEST_REFERENCE"] === "dockerd" ? "it compares both" : false,
}, () => {
  const stack = new AsyncDisposableStack();
  let engines: readonly { readonly socketPath: string; readonly root: string }[];

  before(async () => {
    const [dockerd, boxship] = [stack.use(await startDockerd()), stack.use(await startBoxship())];
    await Promise.all([importBusybox(dockerd.socketPath), importBusybox(boxship.socketPath)]);
    const docker = dockerd.socketPath.replace(/\/docker\.sock$/, "/data");
    engines = [{ socketPath: dockerd.socketPath, root: docker }, boxship];
  });
  after(() => stack.disposeAsync());

  test("with the same words and the same status", { timeout: 240_000 }, async () => {
    const clients = await dockerClients(engines[0]?.socketPath ?? "");
    // The client that is as old as the engine beside it.
    const program = (clients.find(({ version }) => version === "20.10") ?? clients[0])?.program ?? "docker";
    for (const line of COMMANDS) {
      const answers = engines.map(async ({ socketPath, root }) => {
        const command = `${program} -H unix://${socketPath} ${line.replace(" IMAGE", ` ${IMAGE}`)}`;
        const { status, stdout, stderr } = await runProgram(["sh", "-c", command], { timeout: 60_000 });
        const text = `${stdout}${stderr}`.replaceAll(/[0-9a-f]{64}/g, "ID").replaceAll(root, "ROOT");
        // The client says now and then that it stopped waiting for what it was refused.
        const own = /^Hint: .*\n?|^time="[^"]*" level=error msg="error waiting for container: context canceled"\n?/gm;
        return `${line}: ${status}\n${text.replaceAll(own, "")}`;
      });
      const [docker = "", ours = ""] = await Promise.all(answers);
      assert.equal(sorted(ours), sorted(docker));
    }
  });
});

/** Docker lists volumes, and mounts of a container, in no order. */
function sorted(answer: string): string {
  if (answer.startsWith("volume ls")) return answer.split("\n").sort().join("\n");
  return answer.includes(".Mounts") ? answer.split(/[\n;]/).sort().join(";") : answer;
}
