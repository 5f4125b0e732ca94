import { text } from "../../http/query.ts";
import { defineRoute, noContent, ok, type Route } from "../../http/route.ts";
import { boolean, type Codec, decodeBody, field, object, string } from "../../wire/codec.ts";

interface Request {
  readonly name: string;
  readonly directory?: string;
  readonly exit?: boolean;
}

const request: Codec<Request> = object<Request>("CreateOptions", {
  name: field("CheckpointID", string, { absent: "" }),
  directory: field("CheckpointDir", string),
  exit: field("Exit", boolean),
});

const NOTE = "needs CRIU and runc; containers without a terminal";

const create = defineRoute({
  method: "POST",
  path: "/containers/{id}/checkpoints",
  doc: { state: "works", note: NOTE },
  body: (body, context) => decodeBody(request, body, context),
  handle: async (call, { body: { exit = false, ...checkpoint } }) => {
    await call.engine.containers.checkpoint(call.param("id"), { ...checkpoint, exit });
    return { status: 201 };
  },
});

const list = defineRoute({
  method: "GET",
  path: "/containers/{id}/checkpoints",
  doc: { state: "works" },
  query: (query) => text(query, "dir"),
  handle: async (call, { query: directory }) => {
    const names = await call.engine.containers.checkpoints(call.param("id"), directory);
    return ok(names.map((Name) => ({ Name })));
  },
});

const remove = defineRoute({
  method: "DELETE",
  path: "/containers/{id}/checkpoints/{checkpoint}",
  doc: { state: "works" },
  query: (query) => text(query, "dir"),
  handle: async (call, { query: directory }) => {
    const name = call.param("checkpoint");
    await call.engine.containers.removeCheckpoint(call.param("id"), {
      name,
      ...(directory === undefined ? {} : { directory }),
    });
    return noContent;
  },
});

export const containerCheckpoints: readonly Route[] = [create, list, remove];
