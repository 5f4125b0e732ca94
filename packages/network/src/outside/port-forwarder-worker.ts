import { parentPort, workerData } from "node:worker_threads";
import { Internal } from "@boxship/base";
import { openNamespace, setns } from "@boxship/kernel";
import { proxyTcp } from "../ports/proxy-tcp.ts";
import { proxyUdp } from "../ports/proxy-udp.ts";
import { dialTcpAsClient, dialUdpAsClient } from "./client-name.ts";
import type { PortTarget } from "./contract.ts";

/** The thread that lives in the network namespace of the targets; done commands are replied to in order. */

export type ForwarderCommand =
  | {
      readonly operation: "listen";
      readonly key: string;
      readonly protocol: "tcp" | "udp";
      readonly family: 4 | 6;
      /** Bound, and listening if it is TCP; the thread's from now on. */
      readonly fd: number;
      readonly target: PortTarget | undefined;
    }
  | { readonly operation: "lead"; readonly key: string; readonly target: PortTarget | undefined }
  | { readonly operation: "close"; readonly key: string };

export type ForwarderReply = "done";

interface Port extends Disposable {
  target: PortTarget | undefined;
}

function openPort({ protocol, family, fd, target }: Extract<ForwarderCommand, { operation: "listen" }>): Port {
  const port: { target: PortTarget | undefined } = { target };
  const lead = () => port.target;
  const proxy = protocol === "tcp" ? proxyTcp(fd, lead, dialTcpAsClient) : proxyUdp(fd, family, lead, dialUdpAsClient);
  return Object.assign(port, proxy);
}

function perform(ports: Map<string, Port>, command: ForwarderCommand): void {
  const { key } = command;
  if (command.operation === "listen") ports.set(key, openPort(command));
  const port = ports.get(key);
  if (command.operation === "lead" && port !== undefined) port.target = command.target;
  if (command.operation === "close") {
    port?.[Symbol.dispose]();
    ports.delete(key);
  }
}

function live(port: NonNullable<typeof parentPort>): void {
  const { namespace } = workerData as { readonly namespace: string };
  {
    using target = openNamespace(namespace);
    setns(target, "net");
  }
  const ports = new Map<string, Port>();
  port.on("message", (command: ForwarderCommand) => {
    perform(ports, command);
    port.postMessage("done" satisfies ForwarderReply);
  });
}

if (parentPort === null) throw new Internal("this file is a worker thread's");
live(parentPort);
