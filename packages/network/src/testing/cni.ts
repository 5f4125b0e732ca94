import { existsSync } from "node:fs";
import { join } from "node:path";

const UNPACKED = join(import.meta.dirname, "../../../../.cache/parts/root/usr/lib/cni");

/** For tests: where Debian's reference plugins are, installed or unpacked beside the system. */
export const cniPlugins = ["/usr/lib/cni", UNPACKED].find((directory) => existsSync(join(directory, "bridge"))) ?? "";

/** For tests: a bridge with addresses from one range, as people write it. */
export function bridgeList(name: string, subnet: string, more: object = {}): string {
  return JSON.stringify({
    cniVersion: "1.0.0",
    name,
    plugins: [
      {
        type: "bridge",
        bridge: `${name}0`,
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        capabilities: { ips: true, mac: true },
        ipam: {
          type: "host-local",
          dataDir: `/tmp/boxship-cni-${process.pid}`,
          ranges: [[{ subnet }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
    ...more,
  });
}
