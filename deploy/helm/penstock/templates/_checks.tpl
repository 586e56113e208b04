{{/* Combinations that would not work, or would lose or split data, are refused here with what to do instead. */}}

{{- define "penstock.checks" -}}
{{- $values := .Values -}}
{{- include "penstock.checkSecrets" (dict "at" "config" "map" $values.config) -}}
{{- $config := include "penstock.config" . | fromJson -}}
{{- if and $values.persistence.enabled (ne $values.mode "gateway") -}}
{{- fail "persistence.enabled: only mode gateway has volumes; sidecars and node agents hand on at once" -}}
{{- end -}}
{{- if and $values.tls.existingSecret (eq $values.mode "sidecar") -}}
{{- fail "tls.existingSecret: a sidecar listens on localhost; for the way to its gateway see backend.insecure and backend.caSecret" -}}
{{- end -}}
{{- if and $values.autoscaling.enabled (ne $values.mode "gateway") -}}
{{- fail "autoscaling.enabled: only mode gateway scales" -}}
{{- end -}}
{{- with $values.autoscaling -}}
{{- if and .enabled (not (or .cpu .memory .queueFill.enabled)) -}}
{{- fail "autoscaling: nothing to look at; give cpu, memory or queueFill" -}}
{{- end -}}
{{- if lt (int .maxReplicas) (int .minReplicas) -}}
{{- fail "autoscaling.maxReplicas: at least minReplicas" -}}
{{- end -}}
{{- end -}}
{{- range $given := list
  (dict "name" "backend.endpoint" "value" $values.backend.endpoint "variables" (list "PENSTOCK_BACKEND" "PENSTOCK_GATEWAY"))
  (dict "name" "kafka.broker" "value" $values.kafka.broker "variables" (list "PENSTOCK_KAFKA"))
  (dict "name" "token.existingSecret" "value" $values.token.existingSecret "variables" (list "PENSTOCK_TOKEN")) -}}
{{- include "penstock.checkGiven" (merge (dict "text" ($config | toJson)) $given) -}}
{{- end -}}
{{- if ne (toString $config.service.drain_timeout) (printf "%ds" (int $values.drainTimeoutSeconds)) -}}
{{- fail "config.service.drain_timeout: give drainTimeoutSeconds instead, so that pods get the time" -}}
{{- end -}}
{{- if not (kindIs "invalid" $values.terminationGracePeriodSeconds) -}}
{{- $least := add (int $values.preStopSeconds) (int $values.drainTimeoutSeconds) 1 -}}
{{- if lt (int $values.terminationGracePeriodSeconds) (int $least) -}}
{{- fail (printf "terminationGracePeriodSeconds: at least %d, preStopSeconds and drainTimeoutSeconds together and one more, or pods are killed while they drain" $least) -}}
{{- end -}}
{{- end -}}
{{- include "penstock.checkShared" (dict "root" . "config" $config) -}}
{{- end }}

{{/* A value that becomes one of `variables` is given if, and only if, the configuration reads that. */}}
{{- define "penstock.checkGiven" -}}
{{- $isRead := false -}}
{{- range .variables -}}
{{- if contains . $.text }}{{ $isRead = true }}{{ end -}}
{{- end -}}
{{- if and $isRead (not .value) -}}
{{- $_ := required (printf "%s: the configuration asks for it" .name) nil -}}
{{- else if and .value (not $isRead) -}}
{{- fail (printf "%s is given, but the configuration has no use for it (%s)" .name (join ", " .variables)) -}}
{{- end -}}
{{- end }}

{{/* What sees all spans of a trace, or serves one process's page. */}}
{{- define "penstock.checkShared" -}}
{{- $values := .root.Values -}}
{{- $pipelines := (.config.service.pipelines | default dict) -}}
{{- $used := list -}}
{{- $isKeyed := true -}}
{{- range $pipelines -}}
{{- range concat (.receivers | default list) (.processors | default list) (.exporters | default list) -}}
{{- $used = append $used (splitList "/" . | first) -}}
{{- end -}}
{{- end -}}
{{- range $id, $_ := (.config.receivers | default dict) -}}
{{- if ne (splitList "/" $id | first) "kafka" }}{{ $isKeyed = false }}{{ end -}}
{{- end -}}
{{- range tuple "tail_sampling" "groupbytrace" -}}
{{- if and (has . $used) (not $isKeyed) -}}
{{- if and (eq $values.mode "gateway") (include "penstock.isMany" $.root) (not $values.allowSplitTraces) -}}
{{- fail (printf "%s needs all spans of a trace in one pod, and a Service spreads them: take replicas: 1 without autoscaling, or Kafka in between (preset worker-kafka), or say allowSplitTraces: true" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if ne (toString $values.workers) "1" -}}
{{- range tuple "prometheus" "file" "otlpjsonfile" -}}
{{- if has . $used -}}
{{- fail (printf "workers: %s serves one process (docs/workers.md); take replicas instead" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Values of secret keys are references, also those of headers written as {name, value}. */}}
{{- define "penstock.checkSecrets" -}}
{{- $names := list "token" "tokens" "password" "inline" "key_pem" "cert_pem" "ca_pem" "client_ca_pem" "client_secret" "hmac_key" "authorization" "api-key" "x-api-key" -}}
{{- range $key, $value := .map -}}
{{- $at := printf "%s.%s" $.at $key -}}
{{- $isSecret := has (lower $key) $names -}}
{{- if and (eq $key "value") (kindIs "string" $.map.name) -}}
{{- $isSecret = has (lower $.map.name) $names -}}
{{- end -}}
{{- if kindIs "map" $value -}}
{{- include "penstock.checkSecrets" (dict "at" $at "map" $value) -}}
{{- else -}}
{{- range $index, $item := ternary $value (list $value) (kindIs "slice" $value) -}}
{{- if kindIs "map" $item -}}
{{- include "penstock.checkSecrets" (dict "at" (printf "%s[%d]" $at $index) "map" $item) -}}
{{- else if and $isSecret (kindIs "string" $item) $item (not (contains "${" $item)) -}}
{{- fail (printf "%s: a ConfigMap is no place for a secret; write \"${env:NAME}\" or \"${file:/path}\" and bring it by extraEnv or extraVolumes" $at) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
