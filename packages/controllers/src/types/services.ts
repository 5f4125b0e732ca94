import type { JsonObject, KubeObject } from "@boxship/api";

export type ServicePort = {
  name?: string;
  protocol?: string;
  port: number;
  targetPort?: number | string;
  appProtocol?: string;
};

export interface Service extends KubeObject {
  spec?: JsonObject & {
    type?: string;
    clusterIP?: string;
    ipFamilies?: string[];
    selector?: { [label: string]: string };
    ports?: ServicePort[];
    publishNotReadyAddresses?: boolean;
  };
}

export type EndpointPort = { name?: string; protocol?: string; port?: number; appProtocol?: string };

export type Endpoint = {
  addresses: string[];
  conditions: { ready: boolean; serving: boolean; terminating: boolean };
  hostname?: string;
  targetRef?: { kind: string; namespace?: string; name?: string; uid?: string };
  nodeName?: string;
  zone?: string;
};

export interface EndpointSlice extends KubeObject {
  addressType?: string;
  endpoints?: Endpoint[] | null;
  ports?: EndpointPort[] | null;
}

export type EndpointAddress = JsonObject & { ip: string };

export type EndpointSubset = {
  addresses?: EndpointAddress[];
  notReadyAddresses?: EndpointAddress[];
  ports?: EndpointPort[];
};

export interface Endpoints extends KubeObject {
  subsets?: EndpointSubset[];
}
