@echo off
rem kubectl 1.26 and later runs this file from PATH to complete "kubectl progrc".
kubectl-progrc.exe __complete %*
exit /b %ERRORLEVEL%
