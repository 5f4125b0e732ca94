import { InvalidArgument } from "@boxship/base";
import type { ConnectOptions } from "../contract.ts";

/** Driver options of one endpoint, understood. */
export interface EndpointOptions {
  readonly interfaceName: string | undefined;
  /** `IFNAME` stands for the interface. */
  readonly sysctls: Readonly<Record<string, string>>;
}

/** Throws {@link InvalidArgument} for an option that is not known. */
export function parseEndpointOptions(given: Readonly<Record<string, string>>): EndpointOptions {
  let interfaceName: string | undefined;
  let sysctls: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    if (name === "com.docker.network.endpoint.ifname") interfaceName = value;
    else if (name === "com.docker.network.endpoint.sysctls") sysctls = parseSysctls(value);
    else throw new InvalidArgument(`an endpoint has no option ${name}`, { subject: { kind: "option", name } });
  }
  return { interfaceName, sysctls };
}

function parseSysctls(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(",").map((entry) => {
      const [name = "", value] = entry.split(/=(.*)/s);
      if (value !== undefined && /^net\.(ipv4|ipv6|mpls)\.(conf|neigh)\.IFNAME\./.test(name)) return [name, value];
      throw new InvalidArgument(`${JSON.stringify(entry)} is no parameter of an interface`, {
        subject: { kind: "sysctl", name },
        remedy: "write net.ipv4.conf.IFNAME.<name>=<value>, several separated by commas",
      });
    }),
  );
}

/** The parameters of an endpoint's interface, as paths below `/proc/sys` have them. */
export function endpointSysctls(interfaceName: string, { driverOptions = {} }: ConnectOptions): Record<string, string> {
  const name = interfaceName.replaceAll(".", "/");
  const { sysctls } = parseEndpointOptions(driverOptions);
  return Object.fromEntries(Object.entries(sysctls).map(([key, value]) => [key.replace("IFNAME", name), value]));
}
