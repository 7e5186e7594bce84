{{/* What the daemon's pod and the pods of its training Jobs have alike. */}}

{{/* A list of environment variables without repeated names: the last of a name counts, at the place of the first. */}}
{{- define "retuned.uniqueEnv" -}}
{{- $names := list }}
{{- $by := dict }}
{{- range . }}
{{- $names = append $names .name }}
{{- $_ := set $by .name . }}
{{- end }}
{{- $unique := list }}
{{- range uniq $names }}
{{- $unique = append $unique (get $by .) }}
{{- end }}
{{- toYaml $unique }}
{{- end }}

{{/* Environment variables of both, as a YAML list. */}}
{{- define "retuned.commonEnv" -}}
- name: TMPDIR
  value: /tmp
- name: XDG_CACHE_HOME
  value: /var/cache/retuned
- name: HF_HOME
  value: /var/cache/retuned/huggingface
{{- if .Values.artifacts.existingSecret }}
- name: {{ .Values.artifacts.fileVariable }}
  value: /run/retuned/artifacts/{{ .Values.artifacts.key }}
{{- end }}
{{- range $name, $value := .Values.artifacts.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "retuned.env" -}}
- name: RETUNED_CONFIG
  value: /etc/retuned/retuned.yaml
- name: RETUNED_KAFKA__INSTANCE_ID
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- if .Values.ledger.existingSecret }}
- name: RETUNED_LEDGER_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.ledger.existingSecret }}
      key: {{ .Values.ledger.key }}
{{- end }}
{{ include "retuned.commonEnv" . }}
{{- end }}

{{- define "retuned.artifactsEnvFrom" -}}
{{- with .Values.artifacts.existingEnvSecret }}
- secretRef:
    name: {{ . }}
{{- end }}
{{- end }}

{{/* Mounts of both. The root file system is read-only, so what is written to has volumes. */}}
{{- define "retuned.commonMounts" -}}
- name: tmp
  mountPath: /tmp
- name: cache
  mountPath: /var/cache/retuned
- name: shared-memory
  mountPath: /dev/shm
{{- if .Values.artifacts.existingSecret }}
- name: artifacts-credentials
  mountPath: /run/retuned/artifacts
  readOnly: true
{{- end }}
{{- if eq (include "retuned.model.mounted" .) "true" }}
- name: model
  mountPath: {{ .Values.model.mountPath }}
  readOnly: true
  {{- if and .Values.model.existingClaim .Values.model.subPath }}
  subPath: {{ .Values.model.subPath }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "retuned.commonVolumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: {{ .Values.scratch.tmp }}
- name: cache
  emptyDir:
    sizeLimit: {{ .Values.scratch.cache }}
- name: shared-memory
  emptyDir:
    medium: Memory
    sizeLimit: {{ .Values.scratch.sharedMemory }}
{{- if .Values.artifacts.existingSecret }}
- name: artifacts-credentials
  secret:
    secretName: {{ .Values.artifacts.existingSecret }}
    defaultMode: 0440
    items:
      - key: {{ .Values.artifacts.key }}
        path: {{ .Values.artifacts.key }}
{{- end }}
{{- if .Values.model.existingClaim }}
- name: model
  persistentVolumeClaim:
    claimName: {{ .Values.model.existingClaim }}
    readOnly: true
{{- else if .Values.model.image.reference }}
- name: model
  image:
    reference: {{ .Values.model.image.reference }}
    pullPolicy: {{ .Values.model.image.pullPolicy }}
{{- else if .Values.model.initContainer }}
- name: model
  emptyDir:
    sizeLimit: {{ .Values.model.sizeLimit }}
{{- end }}
{{- end }}

{{- define "retuned.model.mounted" -}}
{{- or (ne .Values.model.existingClaim "") (ne .Values.model.image.reference "") (not (empty .Values.model.initContainer)) }}
{{- end }}

{{/* The container that fetches the base model. */}}
{{- define "retuned.model.initContainer" -}}
{{- if .Values.model.initContainer }}
- name: model
  {{- toYaml .Values.model.initContainer | nindent 2 }}
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  volumeMounts:
    - name: model
      mountPath: {{ .Values.model.mountPath }}
    - name: tmp
      mountPath: /tmp
    - name: cache
      mountPath: /var/cache/retuned
{{- end }}
{{- end }}

{{/* Name of the volume of a Secret's files. */}}
{{- define "retuned.secretVolume" -}}
{{- printf "secret-%s" (. | replace "." "-") | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The Secrets of `secretFiles` with their keys, as JSON. */}}
{{- define "retuned.secrets" -}}
{{- $secrets := dict }}
{{- range .Values.secretFiles }}
{{- $_ := set $secrets .existingSecret (append (default list (get $secrets .existingSecret)) .key | uniq) }}
{{- end }}
{{- toRawJson $secrets }}
{{- end }}
