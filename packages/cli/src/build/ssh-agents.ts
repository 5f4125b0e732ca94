import { readFile, stat } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { systemCode } from "@boxship/base/errors";
import type { Context } from "../context.ts";
import { Failure, FlagError } from "../failure.ts";
import { KeyAgent } from "./key-agent.ts";
import { parsePrivateKey } from "./private-key.ts";

/** A new connection to an agent, by the id that Containerfiles name it with. */
export type Agents = ReadonlyMap<string, () => Duplex>;

/** Reads `default`, `ID=SOCKET` and `ID=KEY[,KEY]`. Without a path it is the agent of the environment. */
export async function readAgents(texts: readonly string[], env: NodeJS.ProcessEnv): Promise<Agents> {
  const agents = new Map<string, () => Duplex>();
  for (const text of texts) {
    const equals = text.indexOf("=");
    const id = (equals === -1 ? text : text.slice(0, equals)) || "default";
    const paths = equals === -1 ? [] : text.slice(equals + 1).split(",");
    if (agents.has(id)) throw new FlagError(`--ssh: duplicate ssh agent id ${id}`);
    agents.set(
      id,
      await readAgent(
        paths.filter((path) => path !== ""),
        env,
      ),
    );
  }
  return agents;
}

async function readAgent(given: readonly string[], env: NodeJS.ProcessEnv): Promise<() => Duplex> {
  const own = env["SSH_AUTH_SOCK"] ?? "";
  if (given.length === 0 && own === "") {
    throw new Failure("--ssh: there is no agent: SSH_AUTH_SOCK is not set", {
      remedy: "start one with ssh-agent, or name keys: --ssh default=FILE",
    });
  }
  const paths = given.length === 0 ? [own] : given;
  const kinds = await Promise.all(paths.map(isSocket));
  if (kinds.includes(true)) {
    if (paths.length > 1) throw new FlagError("--ssh: one socket, or any number of keys");
    const [path = ""] = paths;
    return () => connect(path);
  }
  const keys = await Promise.all(
    paths.map(async (path) => ({ key: parsePrivateKey(await readFile(path), path), comment: path })),
  );
  const agent = new KeyAgent(keys);
  return () => agent.connect();
}

async function isSocket(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isSocket();
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw new Failure(`--ssh: cannot read ${path}: ${systemCode(error)}`, { cause: error });
  }
}

/** Brings a build the connection that it asks for. It ends with the build at the latest. */
export function bringAgent(
  context: Context,
  agents: Agents,
  { agent: id, stream }: { readonly agent: string; readonly stream: string },
  owned: AsyncDisposableStack,
): void {
  const open = agents.get(id);
  if (open === undefined) throw new Failure(`the engine asks for an agent ${id}, which nobody gave`);
  // Whoever waits for it in the build sees it end; that is all there is to tell.
  void context.api.hijack(`/boxship/build-streams/${stream}`).then(
    ({ socket, head }) => join(socket, head, open(), owned),
    () => {},
  );
}

function join(socket: Socket, head: Buffer, agent: Duplex, owned: AsyncDisposableStack): void {
  const end = () => {
    socket.destroy();
    agent.destroy();
  };
  owned.defer(end);
  for (const side of [socket, agent]) side.on("error", end).on("close", end);
  if (head.length > 0) agent.write(head);
  socket.pipe(agent).pipe(socket);
}
