import { PermissionDenied, Unsupported } from "@boxship/base";
import { makeImage } from "@boxship/engine";
import { formatPlatform, hostPlatform } from "@boxship/oci";
import { type RunInstruction, refuse } from "../../language/index.ts";
import { PROXY_ARGS } from "../build-args.ts";
import { canRun } from "../emulation.ts";
import { CommandFailed } from "../failure.ts";
import type { BuildSession } from "../session.ts";
import { DEFAULT_SHELL, envMap, imageDocument, type StageState } from "../state.ts";
import { finishLayer, newWorkingId, type WorkingRoot, withRoot } from "../working-layer.ts";
import type { FindRoot } from "./copy.ts";
import { type Command, runCommand } from "./run-command.ts";
import { planMounts } from "./run-mounts.ts";
import type { Step } from "./step.ts";

/** Runs a command in a container on top of the stage. */
export async function run(
  session: BuildSession,
  instruction: RunInstruction,
  state: StageState,
  findRoot: FindRoot,
  vertex: string,
): Promise<Step> {
  const network = instruction.network ?? session.request.network ?? "default";
  const insecure = instruction.security === "insecure";
  checkEntitlements(session, instruction, network);
  const mounts = await planMounts(session, instruction, state, findRoot);
  const args = buildArguments(session, state);
  const script = scriptOf(instruction, state);
  const shown = script.shown.join(" ");
  const counted = args.filter(([name]) => !PROXY_ARGS.has(name) || state.args.has(name));
  const declared = counted.map(([name, value]) => `${name}=${value}`).sort();
  const prefix = declared.length === 0 ? "" : `|${declared.length} ${declared.join(" ")} `;
  return {
    key: ["RUN", script, declared, mounts.map(({ key }) => key), instruction.network ?? "", insecure],
    makesLayer: true,
    history: { isCommand: true, classic: `${prefix}${shown}`, buildkit: `RUN ${prefix}${shown} # buildkit` },
    apply: (before) => before,
    run: (done) =>
      session.slots.run(async () => {
        session.signal.throwIfAborted();
        checkPlatform(instruction, state);
        const id = newWorkingId();
        return withRoot(
          session,
          state.layers,
          async (root) => {
            const command: Command = {
              id,
              vertex,
              instruction,
              state,
              args: script.args,
              env: environment(state, args),
              mounts,
              network,
              insecure,
              ...(script.file === undefined ? {} : { file: script.file }),
            };
            try {
              await runCommand(session, root, command);
            } catch (error) {
              if (session.request.keepFailed === true && error instanceof CommandFailed) {
                error.imageId = await keepFailed(session, root, state);
              }
              throw error;
            }
            return finishLayer(session, root, state.layers, done);
          },
          { id, mapped: session.parts.engine.remap !== undefined },
        );
      }),
  };
}

/** An image of what a command that failed has left. */
async function keepFailed(session: BuildSession, root: WorkingRoot, state: StageState): Promise<string> {
  const layer = await finishLayer(session, root, state.layers, () => {});
  await session.settle();
  const layers = layer === undefined ? state.layers : [...state.layers, layer];
  const { lease } = session;
  return makeImage(session.parts.engine, { config: imageDocument(state), layers, tags: [], lease });
}

function checkEntitlements(session: BuildSession, { place, security }: RunInstruction, network: string): void {
  const { entitlements = ["network.host"] } = session.request;
  if (security === "insecure" && !entitlements.includes("security.insecure")) {
    throw new PermissionDenied(`${place.file}:${place.lines[0]}: security.insecure is not allowed`, {
      subject: { kind: "entitlement", name: "security.insecure" },
      remedy: "build with --allow security.insecure",
    });
  }
  if (network === "host" && !entitlements.includes("network.host")) {
    throw new PermissionDenied(`${place.file}:${place.lines[0]}: network.host is not allowed`, {
      subject: { kind: "entitlement", name: "network.host" },
      remedy: "build with --allow network.host",
    });
  }
}

function checkPlatform({ place }: RunInstruction, { base }: StageState): void {
  const { os, architecture, variant } = base;
  const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  if (canRun(platform)) return;
  throw new Unsupported(
    `${place.file}:${place.lines[0]}: RUN for ${formatPlatform(platform)} does not work on ${formatPlatform(hostPlatform())}`,
    {
      remedy:
        "build on a machine of that platform, register an emulator with binfmt_misc, or run it in a stage that is FROM --platform=$BUILDPLATFORM",
    },
  );
}

/** Values of the stage's `ARG`s, and of proxies, that its environment does not set itself. */
function buildArguments(session: BuildSession, state: StageState): readonly (readonly [string, string])[] {
  const env = envMap(state.config.Env);
  const values = new Map<string, string>();
  for (const [name, value] of Object.entries(session.request.args ?? {})) {
    if (PROXY_ARGS.has(name) && value !== undefined) values.set(name, value);
  }
  for (const [name, value] of state.args) if (value !== undefined) values.set(name, value);
  return [...values].filter(([name]) => !env.has(name));
}

function environment(state: StageState, args: readonly (readonly [string, string])[]): readonly string[] {
  return [...(state.config.Env ?? []), ...args.map(([name, value]) => `${name}=${value}`)];
}

interface Script {
  readonly args: readonly string[];
  /** As history shows it. */
  readonly shown: readonly string[];
  /** A script with an interpreter of its own, where it is put. */
  readonly file?: { readonly path: string; readonly content: string };
}

/** What is started: a heredoc alone is the script itself; behind a command it is that command's input. */
function scriptOf({ command, heredocs, place }: RunInstruction, state: StageState): Script {
  const shell = state.config.Shell ?? DEFAULT_SHELL;
  if (command.form === "exec") {
    if (heredocs.length > 0) refuse(place, "a heredoc needs the shell form of RUN", "write RUN command <<EOF");
    return { args: command.args, shown: command.args };
  }
  const [heredoc] = heredocs;
  if (heredoc === undefined) return { args: [...shell, command.line], shown: [...shell, command.line] };
  if (/^<<-?\S+$/.test(command.line) && heredocs.length === 1) {
    const { content, name } = heredoc;
    if (!content.startsWith("#!")) return { args: [...shell, content], shown: [...shell, content] };
    const path = `/dev/pipes/${name.replaceAll("/", "_")}`;
    return { args: [path], shown: [path], file: { path, content } };
  }
  const bodies = heredocs.map(({ name, content }) => `${content}${name}\n`).join("");
  const line = `${command.line}\n${bodies}`;
  return { args: [...shell, line], shown: [...shell, line] };
}
