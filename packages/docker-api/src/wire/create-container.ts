import { InvalidArgument } from "@boxship/base";
import type { CreateContainerRequest } from "@boxship/engine";
import { type Codec, type DecodeContext, decodeBody, field, isObject, object } from "./codec.ts";
import { containerConfig } from "./container-config.ts";
import { endpointRequests } from "./endpoint.ts";
import { hostConfig } from "./host-config.ts";

type Networking = { readonly endpoints?: NonNullable<CreateContainerRequest["endpoints"]> };
type HostHalf = { readonly hostConfig: CreateContainerRequest["hostConfig"]; readonly networking?: Networking };

const networking = object<Networking>("NetworkingConfig", {
  endpoints: field("EndpointsConfig", endpointRequests),
});

const hostHalf: Codec<HostHalf> = object<HostHalf>("CreateRequest", {
  hostConfig: field("HostConfig", hostConfig, { absent: {} }),
  networking: field("NetworkingConfig", networking),
});

/** The body of `containers/create`: the container's configuration with `HostConfig` and `NetworkingConfig` in it. */
export function decodeCreateContainer(
  body: unknown,
  context: DecodeContext,
): Pick<CreateContainerRequest, "config" | "hostConfig" | "endpoints"> {
  if (body === undefined) throw new InvalidArgument("invalid JSON: got EOF while reading request body");
  if (body === null || (isObject(body) && Object.keys(body).length === 0)) {
    throw new InvalidArgument("config cannot be empty in order to create a container");
  }
  const config = decodeBody(containerConfig, body, context);
  const { hostConfig: host, networking: networks } = decodeBody(hostHalf, body, context);
  const endpoints = networks?.endpoints;
  if (endpoints !== undefined && context.version < 44 && Object.keys(endpoints).length > 1) {
    const names = Object.keys(endpoints).sort().join(", ");
    throw new InvalidArgument(`container cannot be connected to network endpoints: ${names}`);
  }
  return { config, hostConfig: host, ...(endpoints === undefined ? {} : { endpoints }) };
}
