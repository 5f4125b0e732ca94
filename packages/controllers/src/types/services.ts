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
    trafficDistribution?: string;
  };
}

export type EndpointPort = { name?: string; protocol?: string; port?: number; appProtocol?: string };

export type Endpoint = {
  addresses: string[];
  conditions: { ready: boolean; serving?: boolean; terminating?: boolean };
  hostname?: string;
  targetRef?: TargetRef;
  nodeName?: string;
  zone?: string;
  hints?: { forZones?: { name: string }[]; forNodes?: { name: string }[] };
};

export interface EndpointSlice extends KubeObject {
  addressType?: string;
  endpoints?: Endpoint[] | null;
  ports?: EndpointPort[] | null;
}

type TargetRef = { kind: string; namespace?: string; name?: string; uid?: string };

export type EndpointAddress = { ip: string; hostname?: string; nodeName?: string; targetRef?: TargetRef };

export type EndpointSubset = {
  addresses?: EndpointAddress[];
  notReadyAddresses?: EndpointAddress[];
  ports?: EndpointPort[];
};

export interface Endpoints extends KubeObject {
  subsets?: EndpointSubset[];
}
