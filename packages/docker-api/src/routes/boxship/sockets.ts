import { NotFound, Unsupported } from "@boxship/base";
import type { ApiCall } from "../../http/call.ts";
import { created, defineRoute, noContent, ok, type Route } from "../../http/route.ts";
import type { CreateSocketRequest, SocketsApi, SocketView } from "../../options.ts";
import { decodeBody, field, object, string, strings } from "../../wire/codec.ts";

const createSocket = object<CreateSocketRequest>("SocketCreateRequest", {
  name: field("Name", string, { absent: "" }),
  role: field("Role", string, { absent: "" }),
  label: field("Label", string),
  mounts: field("Mounts", strings),
  images: field("Images", strings),
  path: field("Path", string),
  group: field("Group", string),
});

function socketsOf({ context: { sockets } }: ApiCall): SocketsApi {
  if (sockets === undefined) throw new Unsupported("sockets cannot be managed on this one");
  return sockets;
}

function encode({ role: { name, kind, label, mounts = [], images = [] }, path, group, configured }: SocketView) {
  return {
    Name: name,
    Role: kind,
    Label: label === undefined ? "" : `${label.key}=${label.value}`,
    Mounts: mounts,
    Images: images,
    Path: path,
    Group: group ?? "",
    Configured: configured,
  };
}

const socketList = defineRoute({
  method: "GET",
  path: "/boxship/sockets",
  doc: { state: "works", note: "extension: the further sockets, with their roles" },
  handle: (call) => Promise.resolve(ok(socketsOf(call).list().map(encode))),
});

const socketCreate = defineRoute({
  method: "POST",
  path: "/boxship/sockets",
  doc: {
    state: "works",
    note: "extension: another socket, limited to a role: `Name`, `Role` (`read-only`, `confined`), `Label`, `Mounts`, `Images`, `Path`, `Group`",
  },
  body: (body, context) => decodeBody(createSocket, body, context),
  handle: async (call, { body }) => created(encode(await socketsOf(call).create(body))),
});

const socketDelete = defineRoute({
  method: "DELETE",
  path: "/boxship/sockets/{name}",
  doc: { state: "works", note: "extension" },
  handle: async (call) => {
    const name = call.param("name");
    const sockets = socketsOf(call);
    if (!sockets.list().some(({ role }) => role.name === name)) {
      throw new NotFound(`no such socket: ${name}`, { subject: { kind: "socket", name } });
    }
    await sockets.remove(name);
    return noContent;
  },
});

export const socketRoutes: readonly Route[] = [socketList, socketCreate, socketDelete];
