import { inNamespace, NetlinkProtocol, NetlinkSocket, Nftables, openNamespace } from "@boxship/kernel";

/** What the operations of the worker thread share: open sockets of the host's namespace. */
export class WorkerContext implements Disposable {
  /** rtnetlink of the host. */
  readonly host = new NetlinkSocket();
  #nftables: Nftables | undefined;
  #conntrack: NetlinkSocket | undefined;

  /** nftables of the host. */
  get nftables(): Nftables {
    this.#nftables ??= new Nftables();
    return this.#nftables;
  }

  /** Connection tracking of the host. */
  get conntrack(): NetlinkSocket {
    this.#conntrack ??= new NetlinkSocket(NetlinkProtocol.Netfilter);
    return this.#conntrack;
  }

  /** Runs `task` inside a kept namespace, with an rtnetlink socket of it and the namespace's descriptor. */
  inside<T>(path: string, task: (route: NetlinkSocket) => T): T {
    using namespace = openNamespace(path);
    return inNamespace(namespace, "net", () => {
      using route = new NetlinkSocket();
      return task(route);
    });
  }

  [Symbol.dispose](): void {
    this.host[Symbol.dispose]();
    this.#nftables?.[Symbol.dispose]();
    this.#conntrack?.[Symbol.dispose]();
  }
}
