import { existsSync, globSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { resolve } from "node:path";
import { busPath, type DbusAnswer, DbusConnection, type DbusMessage } from "@boxship/kernel";
import { type Background, startProgram, waitUntilReady } from "./process.ts";
import { repositoryRoot } from "./run-program.ts";
import { tempDir } from "./temp-dir.ts";

/** A message bus of the test's own with a real systemd-logind on it, in a mount namespace where nothing is the machine's. */
export interface TestLogind extends AsyncDisposable {
  /** For `DBUS_SYSTEM_BUS_ADDRESS`. */
  readonly address: string;
  /** Where its administrator's settings are, as it sees them in `/etc/systemd/logind.conf.d`. */
  readonly settings: string;
  /** Asks it to power the machine off. */
  powerOff(): Promise<void>;
  /** Resolves when it has let the machine go down: it starts this unit. */
  goesDown(): Promise<string>;
  /** The unit's start fails: the machine stays up. */
  cancel(): void;
  /** Who delays shutdowns, and why. */
  locks(): Promise<readonly (readonly [who: string, why: string])[]>;
  /** Ends it and starts it again, as systemd does. */
  restart(): Promise<void>;
}

const LOGIN = { destination: "org.freedesktop.login1", path: "/org/freedesktop/login1" } as const;
const MANAGER = { ...LOGIN, interface: "org.freedesktop.login1.Manager" } as const;
const SYSTEMD = "org.freedesktop.systemd1";
const JOB = "/org/freedesktop/systemd1/job/1";

function programOf(path: string): string | undefined {
  return [path, resolve(repositoryRoot, `.cache/parts/root${path}`)].find(existsSync);
}

/** What the tests of it need, or why they cannot run. */
export function logindPrograms(): { readonly bus: string; readonly logind: string } | undefined {
  const [bus, logind] = [programOf("/usr/bin/dbus-daemon"), programOf("/lib/systemd/systemd-logind")];
  return bus === undefined || logind === undefined ? undefined : { bus, logind };
}

const CONFIGURATION = (socket: string): string => `<!DOCTYPE busconfig PUBLIC
  "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=${socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
<allow send_type="signal"/></policy></busconfig>
`;

/** It neither takes terminals nor hears buttons, and forgets what it has when it ends. */
const MOUNTS = `set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/seats /run/systemd/sessions /run/systemd/users /run/systemd/inhibit /run/systemd/shutdown
mkdir -p /etc/systemd
mount -t tmpfs tmpfs /etc/systemd
mkdir /etc/systemd/logind.conf.d
mount --bind "$0" /etc/systemd/logind.conf.d
exec "$@"`;

/** @param delaySeconds for how long it lets itself be delayed */
export async function startLogind(delaySeconds: number): Promise<TestLogind> {
  const programs = logindPrograms();
  if (programs === undefined) throw new Error("dbus-daemon and systemd-logind are not on this machine");
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(tempDir("logind"));
  const [socket, settings, log] = [directory.join("bus"), directory.join("settings"), directory.join("log")];
  const address = `unix:path=${socket}`;
  await mkdir(settings);
  const first = `[Login]\nInhibitDelayMaxSec=${delaySeconds}\nNAutoVTs=0\nReserveVT=0\nRemoveIPC=no\nHandlePowerKey=ignore\n`;
  await writeFile(`${settings}/10-test.conf`, first);
  await writeFile(directory.join("bus.conf"), CONFIGURATION(socket));
  const libraries = globSync(resolve(repositoryRoot, ".cache/parts/root/usr/lib/*-linux-gnu{,/systemd}")).join(":");
  const foreign = libraries === "" ? {} : { LD_LIBRARY_PATH: libraries };
  const bus = [programs.bus, `--config-file=${directory.join("bus.conf")}`, "--nofork", "--nopidfile", "--nosyslog"];
  const daemon = stack.use(
    await startProgram(bus as [string, ...string[]], { log: directory.join("bus.log"), env: foreign }),
  );
  // The socket is there a moment before anybody listens.
  await waitUntilReady(daemon, directory.join("bus.log"), () => isListening(socket));
  let logind: Background | undefined;
  let down = Promise.withResolvers<string>();
  const answer = ({ member, body }: DbusMessage): DbusAnswer | undefined => {
    if (member === "Get") return { signature: "v", body: [{ signature: "s", value: "loaded" }] };
    if (member === "Subscribe") return {};
    if (member === "KillUnit") {
      logind?.kill("SIGHUP");
      return {};
    }
    if (member !== "StartUnit") return undefined;
    down.resolve(typeof body[0] === "string" ? body[0] : "");
    return { signature: "o", body: [JOB] };
  };
  const systemd = stack.use(await DbusConnection.open(busPath(address), { answer }));
  await systemd.own(SYSTEMD);
  const start = async (): Promise<void> => {
    const own = [
      "unshare",
      "--mount",
      "--propagation",
      "private",
      "sh",
      "-c",
      MOUNTS,
      settings,
      programs.logind,
    ] as const;
    const env = { DBUS_SYSTEM_BUS_ADDRESS: address, ...foreign };
    logind = await startProgram(own, { log, env });
    const asked = { ...LOGIN, interface: "org.freedesktop.DBus.Peer", member: "Ping" };
    const answers = (): Promise<boolean> =>
      systemd.call(asked).then(
        () => true,
        () => false,
      );
    await waitUntilReady(logind, log, answers);
  };
  await start();
  stack.defer(async () => await logind?.[Symbol.asyncDispose]());
  const owned = stack.move();
  return {
    address,
    settings,
    async powerOff() {
      await systemd.call({ ...MANAGER, member: "PowerOff", signature: "b", body: [false] });
    },
    goesDown: () => down.promise,
    cancel() {
      down = Promise.withResolvers();
      const [path, name] = ["/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"];
      const body = [1, JOB, "poweroff.target", "canceled"];
      systemd.emit({ path, interface: name, member: "JobRemoved", signature: "uoss", body });
    },
    async locks() {
      const { body } = await systemd.call({ ...MANAGER, member: "ListInhibitors" });
      const [all] = body as unknown as readonly [readonly (readonly [string, string, string])[]];
      return all.map(([, who, why]) => [who, why]);
    },
    async restart() {
      await logind?.[Symbol.asyncDispose]();
      await start();
    },
    async [Symbol.asyncDispose]() {
      await owned.disposeAsync();
    },
  };
}

function isListening(path: string): Promise<boolean> {
  const answered = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once("connect", () => answered.resolve(true));
  socket.once("error", () => answered.resolve(false));
  return answered.promise.finally(() => socket.destroy());
}
