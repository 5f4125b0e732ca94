import { Unsupported } from "@boxship/base";
import type { ApiCall } from "../../http/call.ts";
import { streamType } from "../../http/multiplex.ts";
import { required, size } from "../../http/query.ts";
import { created, defineRoute, noContent, ok, type Route } from "../../http/route.ts";
import { pumpSession } from "../../http/session-stream.ts";
import type { WorkingDoor } from "../../working-door.ts";

const PATH = "/boxship/working-containers";
const RUNS = "/boxship/working-runs";

function doorOf(call: ApiCall): WorkingDoor {
  const { working } = call.context;
  if (working === undefined) throw new Unsupported("this server has no working containers");
  return working;
}

const body = (value: unknown): unknown => value ?? {};

const list = defineRoute({
  method: "GET",
  path: PATH,
  doc: { state: "works", note: "extension: the working containers of `boxship buildah`" },
  handle: (call) => Promise.resolve(ok(doorOf(call).list())),
});

const create = defineRoute({
  method: "POST",
  path: PATH,
  doc: { state: "works", note: "extension: a file system on top of an image, or of nothing" },
  body,
  handle: async (call, input) => created(await doorOf(call).create(input.body, call.signal)),
});

const inspect = defineRoute({
  method: "GET",
  path: `${PATH}/{name}`,
  doc: { state: "works", note: "extension" },
  handle: (call) => Promise.resolve(ok(doorOf(call).get(call.param("name")))),
});

const remove = defineRoute({
  method: "DELETE",
  path: `${PATH}/{name}`,
  doc: { state: "works", note: "extension: ends what runs in it" },
  handle: async (call) => ok(await doorOf(call).remove(call.param("name"))),
});

const rename = defineRoute({
  method: "POST",
  path: `${PATH}/{name}/rename`,
  doc: { state: "works", note: "extension" },
  query: (query) => required(query, "name"),
  handle: async (call, { query }) => {
    await doorOf(call).rename(call.param("name"), query);
    return noContent;
  },
});

const configure = defineRoute({
  method: "POST",
  path: `${PATH}/{name}/config`,
  doc: { state: "works", note: "extension: changes what the image will say" },
  body,
  handle: async (call, input) => ok(await doorOf(call).configure(call.param("name"), input.body)),
});

const mount = defineRoute({
  method: "POST",
  path: `${PATH}/{name}/mount`,
  doc: { state: "works", note: "extension: mounts the file system on the engine's machine until it is unmounted" },
  handle: async (call) => ok({ path: await doorOf(call).mount(call.param("name")) }),
});

const unmount = defineRoute({
  method: "POST",
  path: `${PATH}/{name}/unmount`,
  doc: { state: "works", note: "extension" },
  handle: async (call) => ok({ unmounted: await doorOf(call).unmount(call.param("name")) }),
});

const copy = defineRoute({
  method: "POST",
  path: `${PATH}/{name}/copy`,
  doc: { state: "works", note: "extension: the request, and a tar of the files" },
  handle: async (call) => ok(await doorOf(call).copy(call.param("name"), call.request, call.signal)),
});

const commit = defineRoute({
  method: "POST",
  path: `${PATH}/{name}/commit`,
  doc: { state: "works", note: "extension: makes an image" },
  body,
  handle: async (call, input) => created(await doorOf(call).commit(call.param("name"), input.body, call.signal)),
});

const runCreate = defineRoute({
  method: "POST",
  path: `${PATH}/{name}/runs`,
  doc: { state: "works", note: "extension: prepares a command" },
  body,
  handle: (call, input) => Promise.resolve(created(doorOf(call).createRun(call.param("name"), input.body))),
});

const runInspect = defineRoute({
  method: "GET",
  path: `${RUNS}/{id}`,
  doc: { state: "works", note: "extension: whether a command runs, and its exit code" },
  handle: (call) => Promise.resolve(ok(doorOf(call).run(call.param("id")))),
});

const runStart = defineRoute({
  method: "POST",
  path: `${RUNS}/{id}/start`,
  doc: { state: "works", note: "extension: starts a command, whose streams the connection becomes; it ends with them" },
  handle: async (call) => {
    const session = await doorOf(call).startRun(call.param("id"), call.signal);
    if (call.request.socket.destroyed) {
      session.close();
      return undefined;
    }
    await pumpSession(session, await call.hijack(streamType(session.tty, call.version)), call.signal);
    return undefined;
  },
});

const runResize = defineRoute({
  method: "POST",
  path: `${RUNS}/{id}/resize`,
  doc: { state: "works", note: "extension" },
  query: (query) => ({ height: size(query, "h"), width: size(query, "w") }),
  handle: (call, { query }) => {
    doorOf(call).resizeRun(call.param("id"), query);
    return Promise.resolve({ status: 200 });
  },
});

/** File systems that are changed step by step and become images: what Docker's API has no words for. */
export const workingRoutes: readonly Route[] = [
  list,
  create,
  inspect,
  remove,
  rename,
  configure,
  mount,
  unmount,
  copy,
  commit,
  runCreate,
  runInspect,
  runStart,
  runResize,
];
