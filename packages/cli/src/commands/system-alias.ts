import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool, text } from "../flags/flag.ts";
import { type AliasPart, dockerCommandAlias, dockerSocketAlias } from "../shared/docker-alias.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Answer to Docker's name: its socket and its command, where there is no Docker",
  flags: {
    undo: bool("Take both back"),
    socket: text("Where Docker's socket is expected", { initial: "/var/run/docker.sock" }),
    command: text("Where the docker command is put", { initial: "/usr/local/bin/docker" }),
  },
  async run(context, { flags }) {
    const { endpoint, env } = context;
    if (endpoint.kind !== "unix") throw new Failure("only an engine on this machine can answer to Docker's name");
    const parts: readonly AliasPart[] = [
      dockerSocketAlias(flags.socket, endpoint.path),
      dockerCommandAlias(flags.command, env["PATH"] ?? ""),
    ];
    const refused: string[] = [];
    for (const part of parts) {
      const { done, message } = await (flags.undo ? part.undo() : part.make());
      if (done) print(context, message);
      else refused.push(message);
    }
    if (refused.length > 0) throw new Failure(refused.join("\n"));
  },
});
