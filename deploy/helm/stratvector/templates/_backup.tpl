{{/* `stratvector backup` to a volume of its own. */}}
{{- define "stratvector.backupSpec" -}}
{{- $fullname := include "stratvector.fullname" . -}}
{{- $part := dict "root" . "component" "backup" -}}
backoffLimit: 2
template:
  metadata:
    labels:
      {{- include "stratvector.selector" $part | nindent 6 }}
  spec:
    {{- include "stratvector.podHead" (dict "root" . "component" "backup" "account" (printf "%s-jobs" $fullname)) | nindent 4 }}
    restartPolicy: Never
    containers:
      - name: backup
        image: {{ include "stratvector.image" (dict "root" . "name" "cli") }}
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        args: [backup, --to=/backups, --keep={{ .Values.backup.keep }}]
        env:
          {{- include "stratvector.commandEnvironment" (dict "root" . "seed" "provisioner") | nindent 10 }}
          {{- if ne .Values.services.ledger.database "sqlite" }}
          {{- include "stratvector.databaseEnvironment" . | nindent 10 }}
          {{- end }}
        securityContext:
          {{- include "stratvector.containerSecurity" . | nindent 10 }}
        resources:
          {{- toYaml .Values.jobs.resources | nindent 10 }}
        volumeMounts:
          - {name: tmp, mountPath: /tmp}
          - {name: backups, mountPath: /backups}
          - {name: keys, mountPath: /run/stratvector/keys, readOnly: true}
          - {name: config, mountPath: /etc/stratvector/config, readOnly: true}
          {{- if ne .Values.services.ledger.database "sqlite" }}
          {{- include "stratvector.databaseMount" . | nindent 10 }}
          {{- end }}
          {{- if .Values.tls.enabled }}
          - {name: tls, mountPath: /run/stratvector/tls, readOnly: true}
          {{- end }}
    volumes:
      {{- include "stratvector.temporaryVolume" . | nindent 6 }}
      {{- include "stratvector.configVolume" . | nindent 6 }}
      - name: backups
        persistentVolumeClaim:
          claimName: {{ required "backup.existingClaim must name the claim that backups go to" .Values.backup.existingClaim }}
      {{- include "stratvector.secretVolume" (dict "name" "keys" "secret" (printf "%s-keys-provisioner" $fullname)) | nindent 6 }}
      {{- if ne .Values.services.ledger.database "sqlite" }}
      {{- include "stratvector.databaseVolume" . | nindent 6 }}
      {{- end }}
      {{- if .Values.tls.enabled }}
      {{- include "stratvector.secretVolume" (dict "name" "tls" "secret" (printf "%s-tls-cli" $fullname)) | nindent 6 }}
      {{- end }}
{{- end -}}
