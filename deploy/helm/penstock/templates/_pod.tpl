{{/* What pods are made of. */}}

{{- define "penstock.env" -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: NODE_NAME
  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
{{- if .Values.token.existingSecret }}
- name: PENSTOCK_TOKEN
  valueFrom:
    secretKeyRef: {name: {{ .Values.token.existingSecret | quote }}, key: {{ .Values.token.key | quote }}}
{{- end }}
{{- if .Values.backend.endpoint }}
- name: {{ contains "${env:PENSTOCK_GATEWAY" (include "penstock.config" .) | ternary "PENSTOCK_GATEWAY" "PENSTOCK_BACKEND" }}
  value: {{ .Values.backend.endpoint | quote }}
{{- end }}
{{- if .Values.kafka.broker }}
- name: PENSTOCK_KAFKA
  value: {{ .Values.kafka.broker | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The container, without what only a gateway or only a sidecar has. */}}
{{- define "penstock.container" -}}
{{- $ports := include "penstock.ports" . | fromJsonArray -}}
name: penstock
image: {{ include "penstock.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  - --config=/etc/penstock/config/config.yaml
  {{- if ne (toString .Values.workers) "1" }}
  - --workers={{ .Values.workers }}
  {{- end }}
  {{- range .Values.extraArgs }}
  - {{ . | quote }}
  {{- end }}
env:
  {{- include "penstock.env" . | nindent 2 }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $ports }}
ports:
  {{- range . }}
  - {name: {{ .name }}, containerPort: {{ .port }}, protocol: TCP}
  {{- end }}
{{- end }}
{{- range $ports }}
{{- if eq .kind "health" }}
{{- $get := dict "path" .path "port" .port "scheme" (ternary "HTTPS" "HTTP" .tls) }}
{{- range $name := tuple "startup" "readiness" "liveness" }}
{{- with get $.Values.probes $name }}
{{ $name }}Probe:
  httpGet: {{ $get | toJson }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
volumeMounts:
  - {name: penstock-config, mountPath: /etc/penstock/config, readOnly: true}
  - {name: penstock-tmp, mountPath: /tmp}
  {{- if .Values.tls.existingSecret }}
  - {name: penstock-tls, mountPath: /etc/penstock/tls, readOnly: true}
  {{- end }}
  {{- if .Values.backend.caSecret.name }}
  - {name: penstock-backend, mountPath: /etc/penstock/backend, readOnly: true}
  {{- end }}
  {{- if include "penstock.isStateful" . }}
  - {name: data, mountPath: /var/lib/penstock}
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "penstock.volumes" -}}
- name: penstock-config
  configMap: {name: {{ include "penstock.fullname" . }}}
- name: penstock-tmp
  emptyDir: {sizeLimit: 64Mi}
{{- if .Values.tls.existingSecret }}
- name: penstock-tls
  secret: {secretName: {{ .Values.tls.existingSecret | quote }}, defaultMode: 0440}
{{- end }}
{{- if .Values.backend.caSecret.name }}
- name: penstock-backend
  secret: {secretName: {{ .Values.backend.caSecret.name | quote }}}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* A pod rolls when its configuration changes. */}}
{{- define "penstock.checksum" -}}
checksum/penstock-config: {{ include "penstock.config" . | sha256sum }}
{{- end }}

{{/* The template of a gateway's or node agent's pods. */}}
{{- define "penstock.pod" -}}
{{- $grace := .Values.terminationGracePeriodSeconds -}}
{{- if kindIs "invalid" $grace -}}
{{- $grace = add (int .Values.preStopSeconds) (int .Values.drainTimeoutSeconds) 30 -}}
{{- end -}}
metadata:
  annotations:
    {{- include "penstock.checksum" . | nindent 4 }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  labels:
    {{- include "penstock.selector" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "penstock.serviceAccount" . }}
  automountServiceAccountToken: false
  # A Service called penstock would otherwise put PENSTOCK_* into the environment.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ int $grace }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    -
      {{- include "penstock.container" . | nindent 6 }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      {{- if gt (int .Values.preStopSeconds) 0 }}
      lifecycle:
        preStop:
          {{- include "penstock.sleep" . | nindent 10 }}
      {{- end }}
  volumes:
    {{- include "penstock.volumes" . | nindent 4 }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- if include "penstock.isGateway" . }}
  topologySpreadConstraints:
    {{- range .Values.topologySpreadConstraints | default (include "penstock.spread" . | fromJsonArray) }}
    {{- $selector := dict "labelSelector" (dict "matchLabels" (include "penstock.selector" $ | fromYaml)) }}
    - {{- toYaml (hasKey . "labelSelector" | ternary . (merge $selector .)) | nindent 6 }}
    {{- end }}
  {{- end }}
{{- end }}

{{- define "penstock.spread" -}}
{{- $constraints := list -}}
{{- range tuple "kubernetes.io/hostname" "topology.kubernetes.io/zone" -}}
{{- $constraints = append $constraints (dict "maxSkew" 1 "topologyKey" . "whenUnsatisfiable" "ScheduleAnyway") -}}
{{- end -}}
{{- $constraints | toJson -}}
{{- end }}

{{/* Kubernetes itself sleeps from 1.30 on. */}}
{{- define "penstock.sleep" -}}
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version -}}
sleep: {seconds: {{ int .Values.preStopSeconds }}}
{{- else -}}
exec: {command: [sleep, {{ int .Values.preStopSeconds | quote }}]}
{{- end -}}
{{- end }}
