import { field, message, method } from "@boxship/grpc";

/** etcd's v3 API as far as the store needs it. Numbers that the store chooses stay below 2^53. */

const ResponseHeader = message("ResponseHeader", { revision: field.int64(3) });

export const EtcdKeyValue = message("KeyValue", {
  key: field.bytes(1),
  createRevision: field.int64(2),
  modRevision: field.int64(3),
  version: field.int64(4),
  value: field.bytes(5),
  lease: field.int64(6),
});

export const RangeRequest = message("RangeRequest", {
  key: field.bytes(1),
  rangeEnd: field.bytes(2),
  limit: field.int64(3),
  revision: field.int64(4),
  keysOnly: field.bool(8),
  countOnly: field.bool(9),
});

export const RangeResponse = message("RangeResponse", {
  header: field.message(1, ResponseHeader),
  kvs: field.messages(2, EtcdKeyValue),
  more: field.bool(3),
  count: field.int64(4),
});

const PutRequest = message("PutRequest", { key: field.bytes(1), value: field.bytes(2), lease: field.int64(3) });
const PutResponse = message("PutResponse", {});
const DeleteRangeRequest = message("DeleteRangeRequest", { key: field.bytes(1), rangeEnd: field.bytes(2) });
const DeleteRangeResponse = message("DeleteRangeResponse", { deleted: field.int64(2) });

export const RequestOp = message("RequestOp", {
  range: field.message(1, RangeRequest),
  put: field.message(2, PutRequest),
  deleteRange: field.message(3, DeleteRangeRequest),
});

export const ResponseOp = message("ResponseOp", {
  range: field.message(1, RangeResponse),
  put: field.message(2, PutResponse),
  deleteRange: field.message(3, DeleteRangeResponse),
});

/** `Compare.CompareResult`. */
export const compareResults = { equal: 0, greater: 1, less: 2, "not-equal": 3 } as const;
/** `Compare.CompareTarget`. */
export const compareTargets = { version: 0, createRevision: 1, modRevision: 2, value: 3, lease: 4 } as const;

/** An absent number is 0, and an absent value is empty: etcd reads it so. */
export const EtcdCompare = message("Compare", {
  result: field.int32(1),
  target: field.int32(2),
  key: field.bytes(3),
  version: field.int64(4),
  createRevision: field.int64(5),
  modRevision: field.int64(6),
  value: field.bytes(7),
  lease: field.int64(8),
});

const TxnRequest = message("TxnRequest", {
  compare: field.messages(1, EtcdCompare),
  success: field.messages(2, RequestOp),
  failure: field.messages(3, RequestOp),
});

const TxnResponse = message("TxnResponse", {
  header: field.message(1, ResponseHeader),
  succeeded: field.bool(2),
  responses: field.messages(3, ResponseOp),
});

const CompactionRequest = message("CompactionRequest", { revision: field.int64(1), physical: field.bool(2) });
const CompactionResponse = message("CompactionResponse", { header: field.message(1, ResponseHeader) });

const WatchCreateRequest = message("WatchCreateRequest", {
  key: field.bytes(1),
  rangeEnd: field.bytes(2),
  startRevision: field.int64(3),
  previous: field.bool(6),
});

export const WatchRequest = message("WatchRequest", {
  create: field.message(1, WatchCreateRequest),
  progress: field.message(3, message("WatchProgressRequest", {})),
});

/** `Event.EventType` of a deletion. */
export const DELETE = 1;

export const EtcdEvent = message("Event", {
  type: field.int32(1),
  kv: field.message(2, EtcdKeyValue),
  previous: field.message(3, EtcdKeyValue),
});

export const WatchResponse = message("WatchResponse", {
  header: field.message(1, ResponseHeader),
  created: field.bool(3),
  canceled: field.bool(4),
  compactRevision: field.int64(5),
  cancelReason: field.string(6),
  events: field.messages(11, EtcdEvent),
});

const LeaseGrantRequest = message("LeaseGrantRequest", { ttl: field.int64(1), id: field.int64(2) });
const LeaseGrantResponse = message("LeaseGrantResponse", {
  id: field.int64(2),
  ttl: field.int64(3),
  error: field.string(4),
});
const LeaseRequest = message("LeaseRevokeRequest", { id: field.int64(1) });
const LeaseRevokeResponse = message("LeaseRevokeResponse", {});
const LeaseKeepAliveResponse = message("LeaseKeepAliveResponse", { id: field.int64(2), ttl: field.int64(3) });
const LeaseTimeToLiveRequest = message("LeaseTimeToLiveRequest", { id: field.int64(1), keys: field.bool(2) });
const LeaseTimeToLiveResponse = message("LeaseTimeToLiveResponse", {
  ttl: field.int64(3),
  grantedTtl: field.int64(4),
  keys: field.manyBytes(5),
});

const StatusResponse = message("StatusResponse", {
  header: field.message(1, ResponseHeader),
  version: field.string(2),
  dbSize: field.int64(3),
  dbSizeInUse: field.int64(9),
});

const KV = "etcdserverpb.KV";
const LEASE = "etcdserverpb.Lease";

export const methods = {
  range: method(KV, "Range", RangeRequest, RangeResponse),
  txn: method(KV, "Txn", TxnRequest, TxnResponse),
  compact: method(KV, "Compact", CompactionRequest, CompactionResponse),
  watch: method("etcdserverpb.Watch", "Watch", WatchRequest, WatchResponse),
  leaseGrant: method(LEASE, "LeaseGrant", LeaseGrantRequest, LeaseGrantResponse),
  leaseRevoke: method(LEASE, "LeaseRevoke", LeaseRequest, LeaseRevokeResponse),
  leaseKeepAlive: method(LEASE, "LeaseKeepAlive", LeaseRequest, LeaseKeepAliveResponse),
  leaseTimeToLive: method(LEASE, "LeaseTimeToLive", LeaseTimeToLiveRequest, LeaseTimeToLiveResponse),
  status: method("etcdserverpb.Maintenance", "Status", message("StatusRequest", {}), StatusResponse),
} as const;
